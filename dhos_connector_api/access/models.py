"""The table of API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

_TIME = TIMESTAMP(timezone=True)


class ApiKeyRow(db.Model):  # type: ignore[name-defined,misc]
    """An API key at rest: never the key itself."""

    __tablename__ = "api_key"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    source_system: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)  # SHA-256 of the key
    hint: Mapped[str] = mapped_column(Text)  # its first characters, for people
    created: Mapped[datetime] = mapped_column(_TIME)
    created_by: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(_TIME)  # the end of a rotation's overlap
    revoked_at: Mapped[datetime | None] = mapped_column(_TIME)
    revoked_by: Mapped[str | None] = mapped_column(Text)
    replaced_by: Mapped[UUID | None] = mapped_column()
    last_used_at: Mapped[datetime | None] = mapped_column(_TIME)  # to within minutes
