"""The tables of the audit trail: all are only ever inserted into. Names of fields are kept, never values."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

_TIME = TIMESTAMP(timezone=True)


class AuditEventRow(db.Model):  # type: ignore[name-defined,misc]
    """One thing that somebody did to one object, partitioned by month (UTC) of `at`."""

    __tablename__ = "audit_event"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(_TIME, primary_key=True)
    #: The transaction it was written in: what a seal covers is told by it.
    txid: Mapped[int] = mapped_column(
        BigInteger, server_default=text("((pg_current_xact_id())::text)::bigint")
    )
    #: Which server gave that id: they begin anew in one that a dump was restored into.
    epoch: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_control_system()).system_identifier")
    )
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[UUID | None] = mapped_column()  # a px_user; None: a command or the system
    action: Mapped[str] = mapped_column(Text)
    object_type: Mapped[str] = mapped_column(Text)
    object_id: Mapped[UUID | None] = mapped_column()
    hospital_id: Mapped[UUID | None] = mapped_column()
    request_id: Mapped[str | None] = mapped_column(Text)
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))

    __table_args__ = (
        CheckConstraint("(actor_kind = 'user') = (actor_id IS NOT NULL)", name="audit_event_actor"),
        Index("audit_event_txid", epoch, txid, "id"),
        Index("audit_event_at", at, "id"),
        Index("audit_event_action", action, at, "id"),
        Index("audit_event_object_type", object_type, at, "id"),
        Index("audit_event_actor_id", actor_id, at, "id"),
        Index("audit_event_object_id", object_id, at, "id"),
        Index("audit_event_hospital_id", hospital_id, at, "id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )


class AuditSealRow(db.Model):  # type: ignore[name-defined,misc]
    """A link of a month's chain: a hash over the one before and all rows of a range of transactions."""

    __tablename__ = "audit_seal"

    month: Mapped[date] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(BigInteger)
    from_txid: Mapped[int] = mapped_column(BigInteger)
    to_txid: Mapped[int] = mapped_column(BigInteger)  # this one is not of the range
    rows: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[UUID] = mapped_column()
    sealed_at: Mapped[datetime] = mapped_column(_TIME)
    previous: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    #: Of each row its id and the begin of its hash: not hashed itself, and tells which row differs.
    digests: Mapped[bytes] = mapped_column(LargeBinary)


class AuditDroppedRow(db.Model):  # type: ignore[name-defined,misc]
    """A month whose rows had their time, with the last hash of its chain; its seals stay."""

    __tablename__ = "audit_dropped"

    month: Mapped[date] = mapped_column(primary_key=True)
    rows: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column()
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    dropped_at: Mapped[datetime] = mapped_column(_TIME)
