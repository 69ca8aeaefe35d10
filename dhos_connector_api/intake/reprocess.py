"""Publish stored events again, with what their codes mean now. Nothing here commits.

An envelope's message_id follows from the event and its generation. While the meaning is the same an
event is published under the id it has, and whoever has applied it does nothing. Each change of meaning
begins a generation, whose envelope consumers hear of once, however often it is reprocessed: also where
a meaning comes back. What the old meaning has waiting is withdrawn. An envelope that is made anew says
of the stay that it has ended where that is known by now: consumers must not take the patient for back.

It locks an `integration_event`, changes its generation and its envelope in the `outbox` together.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, Envelope
from dhos_connector_api.actions.his import actions as his_actions
from dhos_connector_api.actions.his.events import SOURCE, discharge_of
from dhos_connector_api.actions.his.payload import folded
from dhos_connector_api.actions.his.visits import VisitTypes
from dhos_connector_api.errors import NotFound
from dhos_connector_api.events import mappings, store, visits
from dhos_connector_api.events.search import MOST_COUNTED
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.messages import store as messages
from dhos_connector_api.outbox import store as outbox
from dhos_connector_api.site.model import Site

_STORED = """
FROM integration_event e
WHERE lower(e.event_code) = lower(:event_code) AND lower(e.source_system) = lower(:source_system)
"""
#: What the code means now: the mapping's word, or where there is none the event's default. A visit
#: that had none when it came may have one by now. Known as one by what is left of it without patient data.
_TARGET = """
CASE WHEN :mapped THEN CAST(:canonical_code AS text)
    WHEN starts_with(e.sender, 'his|') AND e.payload->>'BillDate' IS NOT NULL
        THEN coalesce(e.default_code, CAST(:visit_code AS text))
    ELSE e.default_code END
"""
#: Looked at again once the row is locked: of two at once the second finds nothing to change.
_CHANGING = f"{_STORED} AND e.canonical_code IS DISTINCT FROM {_TARGET}"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code of a source means, or would mean; not `mapped`: each event its default.

    `visit_code` is what the site of today says of visits of that type.
    """

    source_system: str
    event_code: str
    mapped: bool
    canonical_code: str | None
    visit_code: str | None

    def parameters(self) -> dict[str, Any]:
        """Of the statements here."""
        return {
            "source_system": self.source_system.strip(),
            "event_code": self.event_code.strip(),
            "mapped": self.mapped,
            "canonical_code": self.canonical_code,
            "visit_code": self.visit_code,
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """What a meaning would do to stored events; counts go up to MOST_COUNTED."""

    stored: int
    changing: int
    examples: Sequence[RowMapping]


def meaning(
    site: Site, source_system: str, event_code: str, *, mapped: bool, canonical_code: str | None = None
) -> Meaning:
    """What the code would mean with that mapping, or without one."""
    types = VisitTypes.with_additions(site.his.visit_types)
    visit_code = types.code(event_code) if source_system.strip().lower() == SOURCE else None
    return Meaning(source_system, event_code, mapped, canonical_code, visit_code)


def meaning_now(connection: Connection, site: Site, source_system: str, event_code: str) -> Meaning:
    """What the code means by the mappings and the site as they are."""
    known = mappings.load(connection, {source_system}).known
    key = (source_system.strip().lower(), event_code.strip().lower())
    return meaning(site, source_system, event_code, mapped=key in known, canonical_code=known.get(key))


def preview(connection: Connection, meant: Meaning, *, examples: int = 10) -> Preview:
    """How many stored events that meaning would change, and the newest of them."""
    stored = _count(connection, _STORED, meant)
    changing = _count(connection, _CHANGING, meant)
    query = f"""
        SELECT e.id, {store.STATUS} AS status, e.canonical_code AS "from", {_TARGET} AS "to"
        FROM (SELECT e.* {_CHANGING} ORDER BY e.id DESC LIMIT :limit) e {store.JOINS} ORDER BY e.id DESC
    """  # noqa: S608
    rows = connection.execute(text(query), {**meant.parameters(), "limit": examples}).mappings().all()
    return Preview(stored, changing, rows)


def _count(connection: Connection, which: str, meant: Meaning) -> int:
    query = f"SELECT count(*) FROM (SELECT {which} LIMIT {MOST_COUNTED}) AS found"  # noqa: S608
    count: int = connection.execute(text(query), meant.parameters()).scalar_one()
    return count


def apply(connection: Connection, meant: Meaning, *, limit: int, at: datetime) -> int:
    """Give up to `limit` stored events that meaning, the oldest first; how many it were."""
    query = f"SELECT e.*, {_TARGET} AS target {_CHANGING} ORDER BY e.id LIMIT :limit FOR UPDATE"
    rows = connection.execute(text(query), {**meant.parameters(), "limit": limit}).mappings().all()
    _give(connection, rows, at)
    return len(rows)


def reprocess(connection: Connection, id_: UUID, site: Site, *, source: str | None, at: datetime) -> None:
    """Publish that event again, with what its code means now.

    `source` is that of the caller's API key; None: any. Raises NotFound.
    """
    locked = "SELECT source_system, event_code FROM integration_event WHERE id = :id FOR UPDATE"
    found = connection.execute(text(locked), {"id": id_}).one_or_none()
    if found is None or (source is not None and found.source_system.lower() != source.lower()):
        raise NotFound("there is no event with that id")
    meant = meaning_now(connection, site, found.source_system, found.event_code)
    query = f"SELECT e.*, {_TARGET} AS target FROM integration_event e WHERE id = :id"  # noqa: S608
    row = connection.execute(text(query), {**meant.parameters(), "id": id_}).mappings().one()
    if row["target"] != row["canonical_code"]:
        _give(connection, [row], at)
    elif row["target"] is not None:
        _publish_again(connection, _event(row, row["generation"], _ended(connection, [row])), at)


def of_message(connection: Connection, message_uuid: UUID) -> list[UUID]:
    """The events of that message, in the order in which they came, locked.

    As everywhere here events come before their message, so that nobody waits in a circle.
    """
    found = connection.execute(
        text("SELECT id FROM integration_event WHERE message_uuid = :uuid ORDER BY id FOR UPDATE"),
        {"uuid": message_uuid},
    )
    return list(found.scalars())


def _give(connection: Connection, rows: Sequence[RowMapping], at: datetime) -> None:
    """Make each event mean its `target`, and let consumers know. The rows are locked."""
    messages.lock(connection, [row["message_uuid"] for row in rows])
    ended = _ended(connection, rows)
    withdrawn = set()
    for row in rows:
        changed = _event(row, row["generation"] + 1, ended)
        _change(connection, changed, old=row["envelope_id"])
        if _queue(connection, changed, at):
            messages.mark_unprocessed(connection, changed.message, by=None, at=at)
        else:
            withdrawn.add(changed.message)
    for message in _without_envelopes(connection, withdrawn):
        messages.mark_processed(connection, message, by=None, at=at)


def _change(connection: Connection, changed: NewEvent, *, old: UUID | None) -> None:
    """Withdraw the old envelope if it still waits, and note what the event means now."""
    connection.execute(text("DELETE FROM outbox WHERE id = :old AND published_at IS NULL"), {"old": old})
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


def _without_envelopes(connection: Connection, uuids: Collection[UUID]) -> list[UUID]:
    """Those of the messages of which nothing is published any more: nobody will say they are processed."""
    if not uuids:
        return []
    found = connection.execute(
        text(
            "SELECT uuid FROM unnest(CAST(:uuids AS uuid[])) AS uuid WHERE NOT EXISTS"
            " (SELECT FROM integration_event WHERE message_uuid = uuid AND state = 'accepted')"
        ),
        {"uuids": list(uuids)},
    )
    return list(found.scalars())


def _publish_again(connection: Connection, event: NewEvent, at: datetime) -> None:
    waiting = connection.execute(
        text("UPDATE outbox SET published_at = NULL, dead_at = NULL, last_error = NULL WHERE id = :id"),
        {"id": event.envelope_id},
    )
    if not waiting.rowcount:
        _queue(connection, event, at)


def _queue(connection: Connection, event: NewEvent, at: datetime) -> int:
    """Let the event's envelope wait for the relay; how many envelopes that are, 0 or 1."""
    if event.envelope_id is None or event.body is None:
        return 0
    envelope = Envelope(event.envelope_id, EVENT_ROUTING_KEY, event.body, event.correlation_id)
    return outbox.add(connection, envelope, message_uuid=event.message, sender=event.sender, at=at)


def _ended(connection: Connection, rows: Sequence[RowMapping]) -> Mapping[bytes, str]:
    """The discharges known of the stays of these events."""
    asked = {_discharge(row) for row in rows if row["companions"]}
    return visits.discharges(connection, asked) if asked else {}


def _discharge(row: RowMapping) -> bytes:
    """The identity of the discharge of the event's stay."""
    return discharge_of((folded(row["payload"].get("HospitalID") or ""), row["encounter_id"] or ""))


def _event(row: RowMapping, generation: int, ended: Mapping[bytes, str]) -> NewEvent:
    """A stored event as if it had come with its `target`, in that generation; `ended`: known discharges."""
    fields, companions = row["event_fields"] or {}, row["companions"] or ()
    known = ended.get(_discharge(row)) if companions else None
    if known and not fields.get("discharged_at"):
        companions, fields = his_actions.with_discharge(companions, fields, known)
    return NewEvent(
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
        generation=generation,
        event_fields=fields,
        companions=companions,
    )
