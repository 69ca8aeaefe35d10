"""The table of the inbox."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text
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
