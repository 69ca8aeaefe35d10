"""One integration event: read it, keep it and queue what it says, once.

One that does not fit is refused, and nothing of it is kept. Any number of events is kept by one
statement (`keep_all`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from dhos_connector_api.actions.his import left_out
from dhos_connector_api.actions.his.births import without_bad_births
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import BadInput, Conflict, ConnectorError, SourceNotAllowed
from dhos_connector_api.events import mappings, store
from dhos_connector_api.events.mappings import Mappings
from dhos_connector_api.events.states import EventState, EventStatus
from dhos_connector_api.events.store import Kept, NewEvent
from dhos_connector_api.intake.arrival import Arrival, Intake, Outcome, Read, Receipt
from dhos_connector_api.intake.event_times import INVALID, occurred_at
from dhos_connector_api.spec.bodies import parse

CONTRADICTS = "another event of this source has the same event_id"
#: Of the message by which an event is kept.
MESSAGE_TYPE = "integration event"
#: Events in one statement, and bytes of them: what is in memory at a time.
MOST, MOST_BYTES = 500, 1_000_000
#: `keep` is one statement, and so its own transaction.
IN_TRANSACTION = False
#: An event that PostgreSQL will not have stops no other. After any other failure nothing that came behind
#: it is stored: the request is sent again, and events without a name would be kept twice, out of order.
PASSED_OVER: tuple[type[Exception], ...] = (DataError, IntegrityError)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRead(Read):
    """An event, read; None where it does not fit. What its code means is looked up when it is kept."""

    event: NewEvent | None = None

    @property
    def has_own_name(self) -> bool:
        """Whether its sender named it by an event_id, and not only by its place in a request."""
        return self.event is not None and self.event.identity != self.arrival.door.identity


def read(arrival: Arrival, intake: Intake) -> EventRead:
    """Return the event a JSON text tells of, or why it cannot be taken."""
    try:
        body = _checked(arrival)
        return EventRead(arrival=arrival, intake=intake, event=_event(body, arrival, intake))
    except (BadInput, SourceNotAllowed) as error:
        return EventRead(arrival=arrival, intake=intake, refusal=error)


def _checked(arrival: Arrival) -> dict[str, Any]:
    """The value of the text, if it fits what the specification says. Raises BadInput, by field."""
    if not arrival.raw:
        raise BadInput("the request needs a body")
    value = parse(arrival.raw)
    faults = arrival.door.check.faults(value) if arrival.door.check else {}
    if faults:
        raise BadInput(INVALID, faults)
    return {**arrival.door.defaults, **value}


def _event(body: Mapping[str, Any], arrival: Arrival, intake: Intake) -> NewEvent:
    """Raises BadInput for a time that is none, SourceNotAllowed for an API key of another source."""
    source, code, key_source = body["source_system"], body["event_code"].strip(), arrival.door.source
    if key_source is not None and source.lower() != key_source.lower():
        raise SourceNotAllowed("the API key belongs to another source than source_system names")
    payload = body.get("payload_json") or {}
    told = without_bad_births(payload, arrival.day)
    is_told_whole = told == payload
    event_id, patient = body.get("event_id"), _text(body.get("patient_identifier"))
    not_told = left_out.of_identifier(patient, "patient_identifier")
    if not is_told_whole:
        not_told += left_out.of_data(payload, "payload_json", arrival.day)
    return NewEvent(
        id=arrival.uuid,
        source_system=source,
        event_code=code,
        default_code=code,
        canonical_code=code,
        encounter_id=_text(body.get("encounter_id")),
        patient_identifier=patient,
        payload=payload,
        occurred_at=occurred_at(payload, intake.zone),
        received_at=arrival.at,
        sender=source.lower(),
        correlation_id=arrival.correlation_id,
        identity=arrival.door.identity if event_id is None else identity_of(source, event_id),
        kept=Kept(arrival.raw, arrival.kind, MESSAGE_TYPE, arrival.caller, arrival.door_name, not_told),
        event_fields=_fields(payload) if is_told_whole else {**_fields(payload), "payload": told},
        tells_payload=is_told_whole,
    )


def identity_of(source: str, event_id: str) -> bytes:
    """Return what makes an event of a source the same: its own name there."""
    return sha256(f"event\0{source.lower()}\0{event_id.strip()}".encode()).digest()


def identity_in(claim: UUID, place: int) -> bytes:
    """Return what makes an event without a name the same: its place in a request under an Idempotency-Key."""
    return sha256(b"request\0" + claim.bytes + place.to_bytes(4)).digest()


def _text(value: str | None) -> str | None:
    return (value or "").strip() or None


def _fields(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What `process_event` says beyond what every event has, and its payload."""
    licence, department = payload.get("physician_license"), payload.get("department_code")
    return {
        "physician": {"id": None if licence is None else str(licence)},
        "department_code": None if department is None else str(department),
    }


def _meaning(event: NewEvent, meanings: Mappings) -> NewEvent:
    """The event with what its code means now."""
    code = meanings.meaning(event.source_system, event.event_code, event.default_code)
    return event if code == event.canonical_code else replace(event, canonical_code=code)


def keep(connection: Connection, read: EventRead) -> Receipt | None:
    """Keep and queue the event; None where its identity is known, and nothing is stored."""
    if read.event is None:
        return None
    event = _meaning(read.event, mappings.load(connection, {read.event.source_system}))
    return _receipt(event) if store.insert(connection, [event]) else None


def known(connection: Connection, read: EventRead) -> Receipt | None:
    """Return the event that holds the identity of this one; a CONFLICT where it says something else."""
    if read.event is None or read.event.identity is None:
        return None
    row = store.by_identity(connection, read.event.identity)
    if row is None:
        return None
    if not store.identical(connection, [read.event]):
        return _conflict()
    return Receipt(row["message_uuid"], Outcome.REPEATED, row)


def keep_all(database: Database, reads: Sequence[EventRead]) -> dict[UUID, Receipt]:
    """Keep the events that are new by one statement; return a receipt for each, by uuid.

    They are committed then. Where PostgreSQL will not have one of them it raises, and none is kept.
    """
    with database.statements() as connection:
        given = [each.event for each in reads if each.event is not None]
        meanings = mappings.load(connection, {each.source_system for each in given})
        events = [_meaning(each, meanings) for each in given]
        new = set(store.insert(connection, events))
        receipts = {each.id: _receipt(each) for each in events if each.id in new}
        repeats = [each for each in reads if each.event is not None and each.uuid not in new]
        return receipts | (_judged_repeats(connection, repeats) if repeats else {})


def _judged_repeats(connection: Connection, repeats: Sequence[EventRead]) -> dict[UUID, Receipt]:
    """What was not new: kept by an attempt before at this very request, known, or contradicting."""
    own = [each.event for each in repeats if each.event is not None and each.has_own_name]
    same = store.identical(connection, own) if own else set()
    return {
        each.uuid: Receipt(None, Outcome.REPEATED)
        if not each.has_own_name or each.uuid in same
        else _conflict()
        for each in repeats
    }


def _conflict() -> Receipt:
    error: ConnectorError = Conflict(CONTRADICTS)
    return Receipt(None, Outcome.CONFLICT, None, error)


def _receipt(event: NewEvent) -> Receipt:
    """The receipt of a new event, with the event as `store.get` would show it."""
    outcome = Outcome.IGNORED if event.canonical_code is None else Outcome.ACCEPTED
    row = {
        "id": event.id,
        "source_system": event.source_system,
        "event_code": event.event_code,
        "encounter_id": event.encounter_id,
        "patient_identifier": event.patient_identifier,
        "status": EventStatus.IGNORED if event.state is EventState.IGNORED else EventStatus.PENDING,
        "received_at": event.received_at,
    }
    return Receipt(event.message, outcome, row)
