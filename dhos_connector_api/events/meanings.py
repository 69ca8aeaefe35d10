"""The meanings of stored events by what their code means now: counted, read again and changed.

How often an event's meaning has changed is its generation, of which its envelope's id is made. An
event's envelope and its message belong to other rooms: whoever changes an event changes them too, in the
same transaction. Nothing here commits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.db.large_rows import carried
from dhos_connector_api.db.listing import MOST_COUNTED
from dhos_connector_api.db.within_bytes import measured_within
from dhos_connector_api.events import views
from dhos_connector_api.events.states import EventState
from dhos_connector_api.events.store import NewEvent

_STORED = """
FROM integration_event e
WHERE lower(e.event_code) = lower(:event_code) AND lower(e.source_system) = lower(:source_system)
"""
#: What the code means now: the mapping's word, or where there is none the event's default.
_TARGET = """
CASE WHEN :mapped THEN CAST(:canonical_code AS text)
    WHEN starts_with(e.sender, CAST(:late_sender AS text))
            AND e.payload->>CAST(:late_field AS text) IS NOT NULL
        THEN coalesce(e.default_code, CAST(:late_code AS text))
    ELSE e.default_code END
"""
_CHANGING = f"{_STORED} AND e.canonical_code IS DISTINCT FROM {_TARGET}"


@dataclass(frozen=True, slots=True)
class LateDefault:
    """A default code for events that had none when they came.

    It is that of events whose sender begins with `sender` and whose payload has the field `field`.
    """

    sender: str
    field: str
    code: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning a source's code has or would have; where it is not `mapped`, each event's default."""

    source_system: str
    event_code: str
    mapped: bool
    canonical_code: str | None
    late: LateDefault | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the statements of this module."""
        return {
            "source_system": self.source_system.strip(),
            "event_code": self.event_code.strip(),
            "mapped": self.mapped,
            "canonical_code": self.canonical_code,
            "late_sender": self.late.sender if self.late else None,
            "late_field": self.late.field if self.late else None,
            "late_code": self.late.code if self.late else None,
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """The number of stored events a meaning concerns and would change; counts go up to MOST_COUNTED."""

    stored: int
    changing: int
    examples: Sequence[RowMapping]


@dataclass(frozen=True, slots=True)
class Reread:
    """A stored event with what its code means now. `envelope_id` is that of what it has meant so far."""

    event: NewEvent
    envelope_id: UUID | None
    changes: bool


def preview(connection: Connection, meant: Meaning, *, examples: int = 10) -> Preview:
    """Return how many stored events that meaning would change, and the newest of them."""
    stored = _count(connection, _STORED, meant)
    changing = _count(connection, _CHANGING, meant)
    query = f"""
        SELECT e.id, {views.STATUS} AS status, e.canonical_code AS "from", {_TARGET} AS "to"
        FROM (SELECT e.* {_CHANGING} ORDER BY e.id DESC LIMIT :limit) e {views.JOINS} ORDER BY e.id DESC
    """  # noqa: S608
    rows = connection.execute(text(query), {**meant.parameters(), "limit": examples}).mappings().all()
    return Preview(stored, changing, rows)


def _count(connection: Connection, which: str, meant: Meaning) -> int:
    query = f"SELECT count(*) FROM (SELECT {which} LIMIT {MOST_COUNTED}) AS found"  # noqa: S608
    count: int = connection.execute(text(query), meant.parameters()).scalar_one()
    return count


#: Bytes of all that an envelope is made of, as it is in memory.
_SIZE = " + ".join(
    f"coalesce(octet_length(CAST(e.{column} AS text)), 0)"
    for column in ("payload", "event_fields", "companions")
)
_OLDEST = f"SELECT e.id {_CHANGING} ORDER BY e.id LIMIT :limit"
_OLDEST_CHANGING = f"""
{measured_within(_OLDEST, table="integration_event", size=_SIZE)}
SELECT id FROM chosen ORDER BY place
"""  # noqa: S608


def changing(connection: Connection, meant: Meaning, *, limit: int, most_bytes: int) -> list[UUID]:
    """Return events that the meaning would change, the oldest first. None is locked.

    They are up to `limit` and have `most_bytes`; the first is among them whatever its size.
    """
    values = {**meant.parameters(), "limit": limit, "most_bytes": most_bytes}
    return list(connection.execute(text(_OLDEST_CHANGING), values).scalars())


def reread(connection: Connection, meant: Meaning, ids: Collection[UUID]) -> list[Reread]:
    """Return these events, all of that code and source, as they would be with the meaning; oldest first."""
    query = f"""
        SELECT e.*, {_TARGET} AS target, {_SIZE} AS size FROM integration_event e
        WHERE e.id = ANY(CAST(:ids AS uuid[])) ORDER BY e.id
    """  # noqa: S608
    rows = connection.execute(text(query), {**meant.parameters(), "ids": list(ids)}).mappings()
    found = rows.all()
    carried(connection, sum(row["size"] for row in found))
    return [_reread(row) for row in found]


def _reread(row: RowMapping) -> Reread:
    changes = row["target"] != row["canonical_code"]
    event = NewEvent(
        id=row["id"],
        source_system=row["source_system"],
        event_code=row["event_code"],
        default_code=row["default_code"],
        canonical_code=row["target"],
        encounter_id=row["encounter_id"],
        patient_identifier=row["patient_identifier"],
        payload=row["payload"],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        sender=row["sender"],
        correlation_id=row["correlation_id"],
        identity=None if row["identity"] is None else bytes(row["identity"]),
        message_uuid=row["message_uuid"],
        generation=row["generation"] + (1 if changes else 0),
        event_fields=row["event_fields"] or {},
        companions=row["companions"] or (),
    )
    return Reread(event, row["envelope_id"], changes)


def change(connection: Connection, changed: NewEvent) -> None:
    """Store what the event means now: its code, its state, its generation and its envelope's id."""
    connection.execute(
        text(
            "UPDATE integration_event SET canonical_code = :code, state = :state, generation = :generation,"
            " envelope_id = :envelope_id WHERE id = :id"
        ),
        {
            "code": changed.canonical_code,
            "state": changed.state,
            "generation": changed.generation,
            "envelope_id": changed.envelope_id,
            "id": changed.id,
        },
    )


def without_envelopes(connection: Connection, messages: Collection[UUID]) -> list[UUID]:
    """Return those of the messages of which no event is accepted any more: nothing of them is published."""
    if not messages:
        return []
    found = connection.execute(
        text(
            "SELECT uuid FROM unnest(CAST(:uuids AS uuid[])) AS uuid WHERE NOT EXISTS"
            " (SELECT FROM integration_event WHERE message_uuid = uuid AND state = :accepted)"
        ),
        {"uuids": list(messages), "accepted": EventState.ACCEPTED},
    )
    return list(found.scalars())
