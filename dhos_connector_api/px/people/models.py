"""The tables of people. A token or password is never kept, only what tells whether one is right."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

_TIME = TIMESTAMP(timezone=True)
_ONE = text("1")


class UserRow(db.Model):  # type: ignore[name-defined,misc]
    """One person who may log in; `version` counts the changes: the ETag."""

    __tablename__ = "px_user"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(_TIME)
    updated_at: Mapped[datetime] = mapped_column(_TIME)
    version: Mapped[int] = mapped_column(server_default=_ONE)
    username: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)  # argon2id, with its parameters
    first_name: Mapped[str | None] = mapped_column(Text)
    last_name: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    employee_id: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text, server_default=text("'en'"))
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospital.id"))
    department_id: Mapped[UUID | None] = mapped_column(ForeignKey("department.id"))
    words: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))  # he is found by
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    failed_logins: Mapped[int] = mapped_column(server_default=text("0"))
    locked_until: Mapped[datetime | None] = mapped_column(_TIME)
    last_login_at: Mapped[datetime | None] = mapped_column(_TIME)
    token_generation: Mapped[int] = mapped_column(server_default=_ONE)  # tokens of another one are void

    __table_args__ = (
        Index("px_user_username", func.lower(username), unique=True),
        Index("px_user_email", func.lower(email), unique=True),
        Index("px_user_of_hospital", hospital_id, func.lower(username)),
        Index("px_user_username_order", func.lower(username), username, "id"),  # read without the table
        Index("px_user_active_order", is_active, func.lower(username)),
        Index(None, department_id),
        Index("px_user_words", func.array_to_tsvector(words), postgresql_using="gin"),
    )


class RoleRow(db.Model):  # type: ignore[name-defined,misc]
    """One of the eight roles; the migration puts them in."""

    __tablename__ = "role"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    name_ar: Mapped[str] = mapped_column(Text)
    level: Mapped[int] = mapped_column(unique=True)


class UserRoleRow(db.Model):  # type: ignore[name-defined,misc]
    """A role that a user has."""

    __tablename__ = "user_role"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("px_user.id"), primary_key=True)
    role_id: Mapped[UUID] = mapped_column(ForeignKey("role.id"), primary_key=True)
    granted_at: Mapped[datetime] = mapped_column(_TIME)
    granted_by: Mapped[UUID | None] = mapped_column()  # None: by the command line

    __table_args__ = (Index(None, role_id),)


class RefreshTokenRow(db.Model):  # type: ignore[name-defined,misc]
    """A refresh token by its SHA-256; all that follow from one login are a family."""

    __tablename__ = "refresh_token"

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("px_user.id"))
    family: Mapped[UUID] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(_TIME)
    expires_at: Mapped[datetime] = mapped_column(_TIME)
    used_at: Mapped[datetime | None] = mapped_column(_TIME)
    revoked_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (Index(None, user_id), Index(None, family), Index(None, expires_at))
