"""The record of what retention has removed: times and numbers, and nothing of what it was."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

_TIME = TIMESTAMP(timezone=True)


class RetentionRecordRow(db.Model):  # type: ignore[name-defined,misc]
    """What was removed from one table on one day (UTC)."""

    __tablename__ = "retention_record"

    name: Mapped[str] = mapped_column(Text, primary_key=True)  # of the table
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    removed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))  # rows
    oldest: Mapped[datetime | None] = mapped_column(_TIME)  # of what was removed
    newest: Mapped[datetime | None] = mapped_column(_TIME)
    finished_at: Mapped[datetime | None] = mapped_column(_TIME)  # when a pass last came to its end
