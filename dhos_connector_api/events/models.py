"""The tables of the integration events.

As in the message store no foreign keys: one statement writes all rows of an event (`store.insert`).
`id` is a version 7 UUID: its order is the order of arrival. What became of an event (pending,
processing, processed) is read from `outbox` and `message`, and not stored a second time.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from dhos_connector_api.db.metadata import db

_TIME = TIMESTAMP(timezone=True)


class IntegrationEventRow(db.Model):  # type: ignore[name-defined,misc]
    """One event as it came, what it means here, and all that its envelope is made of."""

    __tablename__ = "integration_event"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    source_system: Mapped[str] = mapped_column(Text)
    event_code: Mapped[str] = mapped_column(Text)  # as sent
    default_code: Mapped[str | None] = mapped_column(Text)  # what it means where no mapping says otherwise
    canonical_code: Mapped[str | None] = mapped_column(Text)  # what it means; None: nothing to us
    state: Mapped[str] = mapped_column(Text)  # accepted | ignored
    encounter_id: Mapped[str | None] = mapped_column(Text)
    patient_identifier: Mapped[str | None] = mapped_column(Text)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    event_fields: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # further fields of process_event
    companions: Mapped[list[Any] | None] = mapped_column(JSONB)  # further actions of the envelope
    occurred_at: Mapped[datetime | None] = mapped_column(_TIME)
    received_at: Mapped[datetime] = mapped_column(_TIME)
    message_uuid: Mapped[UUID] = mapped_column()  # the kept request
    identity: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    generation: Mapped[int] = mapped_column(server_default=text("0"))  # changes of its meaning
    envelope_id: Mapped[UUID | None] = mapped_column()  # the AMQP message_id, by identity and generation
    sender: Mapped[str] = mapped_column(Text)
    correlation_id: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        *(
            Index(
                f"integration_event_{name}",
                func.lower(column).label("value"),
                "id",
                postgresql_ops={"value": "text_pattern_ops"},
            )
            for name, column in (
                ("encounter_id", encounter_id),
                ("patient_identifier", patient_identifier),
                ("event_code", event_code),
            )
        ),
        Index("integration_event_source_system", func.lower(source_system), "id"),
        Index("integration_event_envelope_id", "envelope_id"),
        Index("integration_event_message_uuid", "message_uuid"),
        Index("integration_event_occurred_at", "occurred_at", "id"),
        Index("integration_event_occurred_at_desc", occurred_at.desc().nulls_last(), text("id DESC")),
        Index("integration_event_not_accepted", "state", "id", postgresql_where=text("state <> 'accepted'")),
    )


class EventMappingRow(db.Model):  # type: ignore[name-defined,misc]
    """The meaning of a source's code here; compared without case."""

    __tablename__ = "event_mapping"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    source_system: Mapped[str] = mapped_column(Text)
    event_code: Mapped[str] = mapped_column(Text)
    canonical_code: Mapped[str | None] = mapped_column(Text)  # None: such events are ignored
    created: Mapped[datetime] = mapped_column(_TIME)
    modified: Mapped[datetime] = mapped_column(_TIME)
    modified_by: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("event_mapping_source_code", func.lower(source_system), func.lower(event_code), unique=True),
    )


class IdempotencyKeyRow(db.Model):  # type: ignore[name-defined,misc]
    """A request that its caller may send again: what it was, and what it was answered."""

    __tablename__ = "idempotency_key"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)  # SHA-256 of caller, operation, key
    claim: Mapped[UUID] = mapped_column()
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    claimed_at: Mapped[datetime] = mapped_column(_TIME)
    running_until: Mapped[datetime | None] = mapped_column(_TIME)  # None: it is answered
    status: Mapped[int | None] = mapped_column()
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = (Index("idempotency_key_claimed_at", claimed_at),)
