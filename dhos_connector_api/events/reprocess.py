"""Publishing events again, with what their codes mean now. Nothing here commits.

An envelope's message_id follows from event and meaning. While the meaning is the same an event is
published under the id it has always had, and whoever has applied it does nothing. With another meaning
it has another id: consumers hear of it once, however often it is reprocessed. What the old meaning has
waiting is withdrawn. A meaning that comes back is known already and is not told again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY
from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.events import mappings, store
from dhos_connector_api.events.search import MOST_COUNTED
from dhos_connector_api.events.store import NewEvent

_STORED = """
FROM integration_event e
WHERE lower(e.event_code) = lower(:event_code) AND lower(e.source_system) = lower(:source_system)
"""
#: `target` is what the code means now: the mapping's word, or where there is none the event's default.
_CHANGING = f"""
{_STORED} AND e.state <> 'failed'
    AND e.canonical_code IS DISTINCT FROM
        CASE WHEN :mapped THEN CAST(:canonical_code AS text) ELSE e.default_code END
"""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code of a source means, or would mean; not `mapped`: each event its default."""

    source_system: str
    event_code: str
    mapped: bool
    canonical_code: str | None

    def parameters(self) -> dict[str, Any]:
        """Of the statements here."""
        return {
            "source_system": self.source_system.strip(),
            "event_code": self.event_code.strip(),
            "mapped": self.mapped,
            "canonical_code": self.canonical_code,
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """What a meaning would do to stored events; counts go up to MOST_COUNTED."""

    stored: int
    changing: int
    examples: Sequence[RowMapping]


def meaning_now(connection: Connection, source_system: str, event_code: str) -> Meaning:
    """What the code means by the mappings as they are."""
    known = mappings.load(connection, {source_system}).known
    key = (source_system.strip().lower(), event_code.strip().lower())
    return Meaning(source_system, event_code, key in known, known.get(key))


def preview(connection: Connection, meaning: Meaning, *, examples: int = 10) -> Preview:
    """How many stored events that meaning would change, and the newest of them."""
    stored = _count(connection, _STORED, meaning)
    changing = _count(connection, _CHANGING, meaning)
    query = f"""
        SELECT e.id, {store.STATUS} AS status, e.canonical_code AS "from",
            CASE WHEN :mapped THEN CAST(:canonical_code AS text) ELSE e.default_code END AS "to"
        FROM (SELECT e.* {_CHANGING} ORDER BY e.id DESC LIMIT :limit) e {store.JOINS} ORDER BY e.id DESC
    """  # noqa: S608
    rows = connection.execute(text(query), {**meaning.parameters(), "limit": examples}).mappings().all()
    return Preview(stored, changing, rows)


def _count(connection: Connection, which: str, meaning: Meaning) -> int:
    query = f"SELECT count(*) FROM (SELECT {which} LIMIT {MOST_COUNTED}) AS found"  # noqa: S608
    count: int = connection.execute(text(query), meaning.parameters()).scalar_one()
    return count


def apply(connection: Connection, meaning: Meaning, *, limit: int, at: datetime) -> int:
    """Give up to `limit` stored events that meaning, the oldest first; how many it were."""
    query = f"SELECT e.* {_CHANGING} ORDER BY e.id LIMIT :limit FOR UPDATE"
    rows = connection.execute(text(query), {**meaning.parameters(), "limit": limit}).mappings().all()
    for row in rows:
        target = meaning.canonical_code if meaning.mapped else row["default_code"]
        _give(connection, row, target, at)
    return len(rows)


def reprocess(connection: Connection, id_: UUID, *, source: str | None, at: datetime) -> None:
    """Publish that event again, with what its code means now.

    `source` is that of the caller's API key; None: any. Raises NotFound, and Conflict for an event
    that was not understood: replaying its message is what may help.
    """
    row = (
        connection.execute(text("SELECT * FROM integration_event WHERE id = :id FOR UPDATE"), {"id": id_})
        .mappings()
        .one_or_none()
    )
    if row is None or (source is not None and row["source_system"].lower() != source.lower()):
        raise NotFound("there is no event with that id")
    if row["state"] == "failed":
        raise Conflict("the event could not be understood; replay its message")
    known = mappings.load(connection, {row["source_system"]})
    target = known.meaning(row["source_system"], row["event_code"], row["default_code"])
    if target != row["canonical_code"]:
        _give(connection, row, target, at)
    elif target is not None:
        _publish_again(connection, _event(row), at)


def of_message(connection: Connection, message_uuid: UUID) -> list[UUID]:
    """The events of that message that can be published again, in the order in which they came."""
    found = connection.execute(
        text("SELECT id FROM integration_event WHERE message_uuid = :uuid AND state <> 'failed' ORDER BY id"),
        {"uuid": message_uuid},
    )
    return list(found.scalars())


def _give(connection: Connection, row: RowMapping, target: str | None, at: datetime) -> None:
    """Make the event mean `target`, and let consumers know."""
    changed = replace(_event(row), canonical_code=target)
    connection.execute(
        text("DELETE FROM outbox WHERE id = :old AND published_at IS NULL"), {"old": row["envelope_id"]}
    )
    connection.execute(
        text(
            "UPDATE integration_event SET canonical_code = :code, state = :state, envelope_id = :envelope_id"
            " WHERE id = :id"
        ),
        {
            "code": target,
            "state": changed.state,
            "envelope_id": changed.envelope_id,
            "id": changed.id,
        },
    )
    # A message of its own is processed when its new meaning is; one that others share stays as it is.
    connection.execute(
        text(
            "UPDATE message SET is_processed = :done, modified = :at,"
            " processed_at = CASE WHEN :done THEN CAST(:at AS timestamptz) END"
            " WHERE uuid = :id AND is_processed <> :done"
        ),
        {"done": target is None, "at": at, "id": changed.id},
    )
    _queue(connection, changed, at)


def _publish_again(connection: Connection, event: NewEvent, at: datetime) -> None:
    waiting = connection.execute(
        text("UPDATE outbox SET published_at = NULL, dead_at = NULL, last_error = NULL WHERE id = :id"),
        {"id": event.envelope_id},
    )
    if not waiting.rowcount:
        _queue(connection, event, at)


def _queue(connection: Connection, event: NewEvent, at: datetime) -> None:
    """Let the event's envelope wait for the relay, unless it is there already."""
    connection.execute(
        text(
            "INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)"
            " SELECT :id, :message, :sender, :routing_key, :body, :correlation_id, :created"
            " WHERE CAST(:id AS uuid) IS NOT NULL ON CONFLICT (id) DO NOTHING"
        ),
        {
            "id": event.envelope_id,
            "message": event.message,
            "sender": event.sender,
            "routing_key": EVENT_ROUTING_KEY,
            "body": event.body,
            "correlation_id": event.correlation_id,
            "created": at,
        },
    )


def _event(row: RowMapping) -> NewEvent:
    """A stored event as it was when it was new."""
    return NewEvent(
        id=row["id"],
        source_system=row["source_system"],
        event_code=row["event_code"],
        default_code=row["default_code"],
        canonical_code=row["canonical_code"],
        encounter_id=row["encounter_id"],
        patient_identifier=row["patient_identifier"],
        payload=row["payload"],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        sender=row["sender"],
        correlation_id=row["correlation_id"],
        identity=None if row["identity"] is None else bytes(row["identity"]),
        message_uuid=row["message_uuid"],
        error=row["error"],
        event_fields=row["event_fields"] or {},
        companions=row["companions"] or (),
    )
