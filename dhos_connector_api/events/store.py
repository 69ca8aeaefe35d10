"""Writing integration events, and reading one. Nothing here commits; the caller owns the transaction.

How to use it: make a `NewEvent` for each event and hand all of a request to `insert`, which gives the
ids of those that were new. `identity` (SHA-256 over what makes an event the same) decides that by
ON CONFLICT, never by a look before; None is never a duplicate. `canonical_code` is what the event
means here, after the site's mappings (`events.mappings.load`); None keeps it
as `ignored`, and nothing is published. Of all others the same statement puts an
envelope into the outbox: `process_event` (built here from the columns and `event_fields`, which may
replace any of its nulls; where `tells_payload` the payload is one of them, and goes to the server once)
after the `companions`, to `dhos.connector_event`, under `sender`, in the order given. Its message_id is a
function of identity and generation (`actions.process_event`). The request is kept by
`messages.store.insert` (give its uuid as `message_uuid`), in the same transaction; or give `kept`, and the
event's own JSON is kept by this statement as a message of its own, under the event's id.
Texts hold neither NUL nor lone surrogates; the codes and identifiers at most 255 characters.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, RowMapping, text

from dhos_connector_api.actions import process_event
from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, Action, body
from dhos_connector_api.actions.left_out import LeftOut, as_json
from dhos_connector_api.db.large_rows import carried
from dhos_connector_api.events import statements
from dhos_connector_api.events.states import EventState
from dhos_connector_api.events.views import COLUMNS, JOINS, PAYLOAD, PAYLOAD_SIZE
from dhos_connector_api.hl7v2.identifier_values import plain


@dataclass(frozen=True, slots=True)
class Kept:
    """The bytes (UTF-8) by which an event is kept as a message of its own; `left_out` of what it tells."""

    received: bytes
    kind: str
    message_type: str
    created_by: str | None
    door: str | None
    left_out: Sequence[LeftOut] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """One event to keep. Times are aware; `event_code` is as sent; see the module for the rest.

    `default_code` is what the code means where no mapping says otherwise (None: nothing), for later
    changes of mappings; `generation` is how often its meaning has changed since it came.
    """

    id: UUID
    source_system: str
    event_code: str
    default_code: str | None
    canonical_code: str | None
    encounter_id: str | None
    patient_identifier: str | None
    payload: Mapping[str, Any]
    occurred_at: datetime | None
    received_at: datetime
    sender: str
    correlation_id: str
    identity: bytes | None = None
    message_uuid: UUID | None = None
    kept: Kept | None = None
    generation: int = 0
    event_fields: Mapping[str, Any] = field(default_factory=dict)
    tells_payload: bool = False
    companions: Sequence[Action] = ()

    @property
    def message(self) -> UUID:
        """Return the uuid of the message its request is kept as."""
        return self.message_uuid or self.id

    @property
    def state(self) -> EventState:
        """Return the state: accepted where it means anything here."""
        return EventState.IGNORED if self.canonical_code is None else EventState.ACCEPTED

    @property
    def envelope_id(self) -> UUID | None:
        """Return the AMQP message_id; None where nothing is published."""
        if self.canonical_code is None:
            return None
        return process_event.envelope_id(uuid_for_consumers(self.id, self.identity), self.generation)

    @property
    def body(self) -> bytes | None:
        """Return the body of its envelope; None where nothing is published."""
        if self.canonical_code is None:
            return None
        action = process_event.process_event(
            source_system=self.source_system,
            canonical_code=self.canonical_code,
            source_code=self.event_code,
            event=uuid_for_consumers(self.id, self.identity),
            occurred_at=self.occurred_at,
            encounter_id=self.encounter_id,
            patient_identifier=self.patient_identifier,
            generation=self.generation,
            fields={**self.event_fields, **({"payload": self.payload} if self.tells_payload else {})},
        )
        return body(self.message, [*self.companions, action])


def uuid_for_consumers(id_: UUID, identity: bytes | None) -> UUID:
    """Return the event's `event_uuid` in envelopes: by what identifies it, else its id."""
    return id_ if identity is None else process_event.event_uuid(identity)


#: Parameters that may be long.
_LONG = ("payload", "event_fields", "companions", "body", "received")


def insert(connection: Connection, events: Sequence[NewEvent]) -> list[UUID]:
    """Store and queue those of `events` whose identity is new; return their ids, in no order.

    Waits for a concurrent insert of the same identity to commit or to fail.
    """
    if not events:
        return []
    given = parameters(events)
    new = list(connection.exec_driver_sql(statements.INSERT, given).scalars())
    carried(connection, sum(len(each or "") for name in _LONG for each in given[name]))
    return new


def parameters(events: Sequence[NewEvent]) -> dict[str, Any]:
    """Return the statement's parameters: a list for each column. There is at least one event."""
    columns = [_columns(each) for each in events]
    return {column: [each[column] for each in columns] for column in columns[0]} | {
        "routing_key": EVENT_ROUTING_KEY
    }


def _columns(event: NewEvent) -> dict[str, Any]:
    kept = event.kept
    return {
        "id": event.id,
        "source_system": event.source_system,
        "event_code": event.event_code,
        "default_code": event.default_code,
        "canonical_code": event.canonical_code,
        "state": event.state,
        "encounter_id": event.encounter_id,
        "patient_identifier": event.patient_identifier,
        "payload": _json(event.payload),
        "event_fields": _json(event.event_fields) if event.event_fields else None,
        "tells_payload": event.tells_payload,
        "companions": _json(event.companions) if event.companions else None,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "message_uuid": event.message,
        "identity": event.identity,
        "envelope_id": event.envelope_id,
        "sender": event.sender,
        "correlation_id": event.correlation_id,
        "body": event.body,
        "received": kept.received if kept else None,
        "kind": kept.kind if kept else None,
        "message_type": kept.message_type if kept else None,
        "created_by": kept.created_by if kept else None,
        "door": kept.door if kept else None,
        "left_out": as_json(kept.left_out) if kept else None,
        "mrn": plain(event.patient_identifier or "") or None,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# As PostgreSQL compares them: it keeps 1e22, -0.0 and 1.50 as other numbers than Python would write again.
_IDENTICAL = """
SELECT given.id
FROM unnest(
    %(id)s::uuid[], %(identity)s::bytea[], %(event_code)s::text[], %(encounter_id)s::text[],
    %(patient_identifier)s::text[], %(payload)b::text[]
) AS given (id, identity, event_code, encounter_id, patient_identifier, payload)
JOIN integration_event e USING (identity)
WHERE (e.event_code, e.encounter_id, e.patient_identifier, e.payload)
    IS NOT DISTINCT FROM
    (given.event_code, given.encounter_id, given.patient_identifier, given.payload::jsonb)
"""
_COMPARED = ("id", "identity", "event_code", "encounter_id", "patient_identifier")


def identical(connection: Connection, events: Sequence[NewEvent]) -> set[UUID]:
    """Return the ids of those of `events` that say just what the kept event of their identity says."""
    given = {name: [getattr(each, name) for each in events] for name in _COMPARED}
    given["payload"] = [_json(each.payload) for each in events]
    return set(connection.exec_driver_sql(_IDENTICAL, given).scalars())


_HOLDERS = """
SELECT e.id, e.message_uuid, e.payload ->> %(name)s::text AS named, e.payload = '{}' AS is_emptied,
    e.payload - %(name)s::text = %(payload)b::text::jsonb - %(name)s::text AS is_same
FROM integration_event e
WHERE e.identity = ANY(%(identities)s::bytea[])
"""


def holders(
    connection: Connection, identities: Sequence[bytes], payload: Mapping[str, Any], *, name: str
) -> Sequence[Row[Any]]:
    """Return the events that hold one of these identities, each compared with `payload`.

    `named` is what stands under `name` in its payload, as text; `is_same` whether all the rest is the same,
    as PostgreSQL compares JSON. `is_emptied`: its payload was taken out of the database.
    """
    values = {"identities": list(identities), "payload": _json(payload), "name": name}
    return connection.exec_driver_sql(_HOLDERS, values).all()


def get(connection: Connection, id_: UUID) -> RowMapping | None:
    """Return the event with that id as the API shows it, its payload as JSON text; None: there is none."""
    row = _one(connection, f"{COLUMNS}, {PAYLOAD}", "e.id = :value", id_)
    carried(connection, len(row["payload_json"]) if row else 0)
    return row


def size(connection: Connection, id_: UUID) -> int:
    """Return how many bytes the payload of that event has as JSON; 0: there is no such event."""
    query = f"SELECT {PAYLOAD_SIZE} FROM integration_event e WHERE e.id = :id"  # noqa: S608
    return connection.execute(text(query), {"id": id_}).scalar() or 0


def by_identity(connection: Connection, identity: bytes) -> RowMapping | None:
    """Return the event that has that identity, without its payload, or None."""
    return _one(connection, COLUMNS, "e.identity = :value", identity)


def rows(connection: Connection, ids: Collection[UUID], hospital: str) -> Sequence[RowMapping]:
    """Return what never changes of these events: source, code, encounter, and `hospital` of the payload."""
    query = """
        SELECT id, source_system, event_code, encounter_id, payload->>CAST(:hospital AS text) AS hospital,
            companions IS NOT NULL AS has_companions
        FROM integration_event WHERE id = ANY(CAST(:ids AS uuid[]))
    """
    values = {"ids": list(ids), "hospital": hospital}
    return connection.execute(text(query), values).mappings().all()


def ids_of_message(connection: Connection, message_uuid: UUID) -> list[UUID]:
    """Return the events of that message, in the order in which they came."""
    found = connection.execute(
        text("SELECT id FROM integration_event WHERE message_uuid = :uuid ORDER BY id"),
        {"uuid": message_uuid},
    )
    return list(found.scalars())


def published_of_message(connection: Connection, message_uuid: UUID) -> int:
    """Return how many events of that message mean anything here, and have an envelope."""
    query = "SELECT count(*) FROM integration_event WHERE message_uuid = :uuid AND envelope_id IS NOT NULL"
    return int(connection.execute(text(query), {"uuid": message_uuid}).scalar_one())


def lock(connection: Connection, ids: Collection[UUID]) -> None:
    """Lock these events, always in the same order, until this transaction ends."""
    connection.execute(
        text("SELECT FROM integration_event WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE"),
        {"ids": list(ids)},
    )


def _one(connection: Connection, columns: str, condition: str, value: object) -> RowMapping | None:
    query = f"SELECT {columns} FROM integration_event e {JOINS} WHERE {condition}"  # noqa: S608
    return connection.execute(text(query), {"value": value}).mappings().one_or_none()
