"""Receive integration events: understand one, keep it and queue what it says, once.

`understand` does all the thinking; `keep` writes by one statement, for any number of events. Only
when that is committed does the caller answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from dhos_connector_api import clock
from dhos_connector_api.errors import BadInput, Conflict, SourceNotAllowed, StorageUnavailable
from dhos_connector_api.events import store
from dhos_connector_api.events.mappings import Mappings
from dhos_connector_api.events.store import Kept, NewEvent
from dhos_connector_api.intake.metrics import EVENTS

INVALID = "Invalid event data"
CONTRADICTS = "another event of this source has the same event_id"
#: Of the message by which an event is kept.
MESSAGE_TYPE = "integration event"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What every event of a request shares. `source` is that of the API key; None: any source."""

    source: str | None
    caller: str | None
    correlation_id: str
    zone: tzinfo  # of times that carry no offset
    mappings: Mappings


def understand(body: Mapping[str, Any], raw: bytes, here: Circumstances, identity: bytes | None) -> NewEvent:
    """The event that a request body, checked against the specification, tells of.

    `raw` is its JSON. `identity` is used where the event has no `event_id` of its own. Raises BadInput
    for a time that is none, SourceNotAllowed for an API key of another source.
    """
    source, code = body["source_system"], body["event_code"].strip()
    if here.source is not None and source.lower() != here.source.lower():
        raise SourceNotAllowed("the API key belongs to another source than source_system names")
    payload = body.get("payload_json") or {}
    event_id = body.get("event_id")
    now = clock.now()
    return NewEvent(
        id=clock.new_uuid(now),
        source_system=source,
        event_code=code,
        default_code=code,
        canonical_code=here.mappings.meaning(source, code, code),
        encounter_id=_text(body.get("encounter_id")),
        patient_identifier=_text(body.get("patient_identifier")),
        payload=payload,
        occurred_at=_occurred_at(payload, here.zone),
        received_at=now,
        sender=source.lower(),
        correlation_id=here.correlation_id,
        identity=identity if event_id is None else identity_of(source, event_id),
        kept=Kept(raw, MESSAGE_TYPE, here.caller),
        event_fields=_fields(payload),
    )


def identity_of(source: str, event_id: str) -> bytes:
    """What makes an event of a source the same: its own name there."""
    return sha256(f"event\0{source.lower()}\0{event_id.strip()}".encode()).digest()


def identity_in(claim: UUID, place: int) -> bytes:
    """What makes an event the same that has no name, but a place in a request under an Idempotency-Key."""
    return sha256(b"request\0" + claim.bytes + place.to_bytes(4)).digest()


def _text(value: str | None) -> str | None:
    return (value or "").strip() or None


def _occurred_at(payload: Mapping[str, Any], zone: tzinfo) -> datetime | None:
    """`timestamp`, else `visit_date` with `visit_time`; None where neither is given."""
    if given := _text(payload.get("timestamp")):
        return _aware("timestamp", given, zone)
    if day := _text(payload.get("visit_date")):
        visit_time = _text(payload.get("visit_time"))
        return _aware("visit_date", f"{_iso(date, 'visit_date', day)}T{_clock_time(visit_time)}", zone)
    return None


def _clock_time(text: str | None) -> str:
    return "00:00" if text is None else str(_iso(time, "visit_time", text))


def _aware(name: str, text: str, zone: tzinfo) -> datetime:
    """In UTC: Python knows offsets that PostgreSQL does not."""
    at: datetime = _iso(datetime, name, text)
    try:
        return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _no_time(name) from None


def _iso(kind: Any, name: str, text: str) -> Any:
    try:
        return kind.fromisoformat(text)
    except (ValueError, OverflowError):
        raise _no_time(name) from None


def _no_time(name: str) -> BadInput:
    return BadInput(INVALID, {f"payload_json.{name}": ["must be a date or time as ISO 8601 writes it"]})


def _fields(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What `process_event` says beyond what every event has."""
    licence, department = payload.get("physician_license"), payload.get("department_code")
    return {
        "physician": {"id": None if licence is None else str(licence)},
        "department_code": None if department is None else str(department),
        "payload": dict(payload),
    }


def keep(connection: Connection, events: Sequence[NewEvent]) -> set[UUID]:
    """Keep and queue those whose identity is new; their ids. One statement: all of it, or nothing."""
    return set(store.insert(connection, events))


def known(connection: Connection, event: NewEvent) -> RowMapping:
    """The event that holds the identity of one that was not kept.

    Raises Conflict when it tells of something else, StorageUnavailable when it has gone meanwhile.
    """
    row = store.by_identity(connection, event.identity or b"")
    if row is None:
        raise StorageUnavailable("the event was kept and forgotten in the same moment")
    if not store.told(connection, [event]):
        raise Conflict(CONTRADICTS)
    return row


def event_row(event: NewEvent) -> dict[str, Any]:
    """A new event as `store.get` would show it."""
    return {
        "id": event.id,
        "source_system": event.source_system,
        "event_code": event.event_code,
        "encounter_id": event.encounter_id,
        "patient_identifier": event.patient_identifier,
        "status": "pending" if event.state == "accepted" else event.state,
        "received_at": event.received_at,
    }


def count(*, new: int, duplicates: int = 0, invalid: int = 0) -> None:
    """Count events. Call it after the commit."""
    for outcome, number in (("new", new), ("duplicate", duplicates), ("invalid", invalid)):
        if number:
            EVENTS.labels(outcome).inc(number)
