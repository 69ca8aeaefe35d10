"""The table of envelopes. Rows are written with the message or event that they tell of.

That is what `messages.store.insert` and `events.store.insert` do; reprocessing and a replay
write them for what is there already, by `outbox.store.add`.

`position` is the order in which rows were inserted, and a sender's are published in it. While a
routing key is unroutable, only the stream (sender, routing_key) stays behind. A row is waiting,
published or dead.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

#: A sender's name is part of an index and of the relay's lock list; longer ones share a queue.
SENDER_LENGTH = 200
_TIME = TIMESTAMP(timezone=True)


class OutboxRow(db.Model):  # type: ignore[name-defined,misc]
    """One envelope; `id` is its AMQP message_id at every attempt."""

    __tablename__ = "outbox"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    message_uuid: Mapped[UUID] = mapped_column()
    sender: Mapped[str] = mapped_column(Text)
    routing_key: Mapped[str] = mapped_column(Text)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    correlation_id: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(_TIME)
    published_at: Mapped[datetime | None] = mapped_column(_TIME)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    dead_at: Mapped[datetime | None] = mapped_column(_TIME)
    last_error: Mapped[str | None] = mapped_column(Text)  # one of our own texts, never input

    __table_args__ = (
        Index(
            "outbox_waiting",
            sender,
            routing_key,
            position,
            postgresql_where=text("published_at IS NULL AND dead_at IS NULL"),
        ),
        # By what waits under a key, oldest or newest first. Its condition says more than `outbox_waiting`'s,
        # so that it serves only who asks for it: see `statements.BY_KEY`.
        Index(
            "outbox_waiting_by_key",
            routing_key,
            position,
            postgresql_where=text("published_at IS NULL AND dead_at IS NULL AND position > 0"),
        ),
        Index("outbox_message_uuid", message_uuid),
        Index("outbox_published_at", published_at, postgresql_where=text("published_at IS NOT NULL")),
        Index("outbox_dead", position, postgresql_where=text("dead_at IS NOT NULL")),
    )
