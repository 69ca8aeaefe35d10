"""The tables of deliveries: what goes out, each attempt at it, and how each destination is doing.

`position` is the order in which deliveries were queued. States and outcomes are those of `states`.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Float, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

_TIME = TIMESTAMP(timezone=True)


class DeliveryRow(db.Model):  # type: ignore[name-defined,misc]
    """One message on its way to one destination."""

    __tablename__ = "delivery"

    uuid: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    message_uuid: Mapped[UUID] = mapped_column()
    destination: Mapped[str] = mapped_column(Text)
    series: Mapped[str | None] = mapped_column(Text)  # of one series only the newest is sent
    state: Mapped[str] = mapped_column(Text, server_default=text("'waiting'"))  # `states.DeliveryState`
    created: Mapped[datetime] = mapped_column(_TIME)
    due_at: Mapped[datetime] = mapped_column(_TIME)
    lease: Mapped[UUID | None] = mapped_column()  # who is sending it: only that one may settle it
    leased_until: Mapped[datetime | None] = mapped_column(_TIME)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))  # since it was queued or retried
    ambiguous: Mapped[int] = mapped_column(server_default=text("0"))  # attempts that may have arrived
    settled_at: Mapped[datetime | None] = mapped_column(_TIME)
    superseded_by: Mapped[UUID | None] = mapped_column()
    last_error: Mapped[str | None] = mapped_column(Text)  # one of our own texts, never input
    correlation_id: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        # What waits is found in its order, and by no other index: with statistics from before an outage
        # PostgreSQL would take any that needs sorting, and sort the backlog for each claim.
        Index("delivery_due", destination, due_at, position, postgresql_where=text("state = 'waiting'")),
        Index("delivery_state", state, uuid, postgresql_where=text("state <> 'waiting'")),
        Index("delivery_sending", destination, postgresql_where=text("state = 'sending'")),
        Index("delivery_series", destination, series, position, postgresql_where=text("series IS NOT NULL")),
        Index("delivery_message_uuid", message_uuid),
    )


class DeliveryAttemptRow(db.Model):  # type: ignore[name-defined,misc]
    """One attempt; `outcome` is NULL while it runs. One that never said how it ended is ambiguous."""

    __tablename__ = "delivery_attempt"

    delivery_uuid: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(_TIME)
    outcome: Mapped[str | None] = mapped_column(Text)  # one of `states.AttemptOutcome`
    seconds: Mapped[float | None] = mapped_column(Float)
    http_status: Mapped[int | None] = mapped_column()
    ack_code: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)  # one of our own texts
    detail: Mapped[str | None] = mapped_column(Text)  # what the destination said: may name a patient


class DeliveryDestinationRow(db.Model):  # type: ignore[name-defined,misc]
    """How a destination is doing. Locked while deliveries to it are claimed."""

    __tablename__ = "delivery_destination"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int] = mapped_column(server_default=text("0"))  # in a row
    failing_since: Mapped[datetime | None] = mapped_column(_TIME)
    held_until: Mapped[datetime | None] = mapped_column(_TIME)  # nothing is sent to it before
