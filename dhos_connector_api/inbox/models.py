"""The tables of the inbox: what was applied, and what could not be."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db


class InboxRow(db.Model):  # type: ignore[name-defined,misc]
    """One envelope that a consumer has applied."""

    __tablename__ = "inbox"

    consumer: Mapped[str] = mapped_column(Text, primary_key=True)
    message_id: Mapped[UUID] = mapped_column(primary_key=True)  # of AMQP, the same however often it comes
    received_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))

    __table_args__ = (Index("inbox_received_at", received_at),)


class ParkedRow(db.Model):  # type: ignore[name-defined,misc]
    """One envelope that a consumer could not apply. Its body is patient data: nobody lists it.

    It is tried again at `next_at`; without, it is parked until somebody says so.
    """

    __tablename__ = "parked"

    consumer: Mapped[str] = mapped_column(Text, primary_key=True)
    message_id: Mapped[UUID] = mapped_column(primary_key=True)  # made of the body where it has none
    routing_key: Mapped[str] = mapped_column(Text)
    correlation_id: Mapped[str | None] = mapped_column(Text)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    error: Mapped[str] = mapped_column(Text)  # the kind of failure and where, never input
    tries: Mapped[int] = mapped_column()
    arrived_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    tried_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    next_at: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))

    __table_args__ = (
        Index("parked_next_at", next_at, postgresql_where=text("next_at IS NOT NULL")),
        Index("parked_arrived_at", arrived_at),
    )
