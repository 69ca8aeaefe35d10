"""Publishes stored events again, with what their codes mean now. Nothing here commits.

An envelope's message_id follows from the event and its generation. While the meaning is the same an
event is published under the id it has, and whoever has applied it does nothing. Each change of meaning
begins a generation, whose envelope consumers hear of once, however often it is reprocessed: also where
a meaning comes back. What the old meaning has waiting is withdrawn. An envelope that is made anew says
who the patient is and that the stay has ended as it is known by now: nothing older may come back.

Locks are always taken in this order, so that nobody waits in a circle: the encounters of the events
(which payloads of the HIS lock too, so that no discharge is missed), the events, their messages.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, Envelope
from dhos_connector_api.errors import NotFound
from dhos_connector_api.events import mappings, meanings, store, visits
from dhos_connector_api.events.meanings import Meaning, Reread
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.events.visits import Encounter
from dhos_connector_api.intake import his_stored
from dhos_connector_api.messages import store as messages
from dhos_connector_api.outbox import store as outbox
from dhos_connector_api.site.model import Site

#: Bytes of events, as JSON, that are given another meaning by one transaction.
MOST_BYTES = 2_000_000


def meaning(
    site: Site, source_system: str, event_code: str, *, mapped: bool, canonical_code: str | None = None
) -> Meaning:
    """Return what the code would mean with that mapping, or without one."""
    late = his_stored.late_default(site, source_system, event_code)
    return Meaning(source_system, event_code, mapped, canonical_code, late)


def meaning_now(connection: Connection, site: Site, source_system: str, event_code: str) -> Meaning:
    """Return what the code means by the mappings and the site as they are."""
    known = mappings.load(connection, {source_system}).known
    key = (source_system.strip().lower(), event_code.strip().lower())
    return meaning(site, source_system, event_code, mapped=key in known, canonical_code=known.get(key))


def apply(connection: Connection, meant: Meaning, *, limit: int, at: datetime) -> int:
    """Give up to `limit` stored events that meaning, the oldest first; return how many.

    They are fewer where they are large: what is in memory has MOST_BYTES, or is one event. Of two at once one
    may be given fewer than there are: those that the other has just changed.
    """
    ids = meanings.changing(connection, meant, limit=limit, most_bytes=MOST_BYTES)
    _lock(connection, ids)
    found = [each for each in meanings.reread(connection, meant, ids) if each.changes]
    _give(connection, found, at)
    return len(found)


def reprocess(connection: Connection, id_: UUID, site: Site, *, source: str | None, at: datetime) -> None:
    """Publish that event again, with what its code means now.

    `source` is that of the caller's API key; None: any. Raises NotFound.
    """
    rows = _lock(connection, [id_])
    if not rows or (source is not None and rows[0]["source_system"].lower() != source.lower()):
        raise NotFound("there is no event with that id")
    meant = meaning_now(connection, site, rows[0]["source_system"], rows[0]["event_code"])
    for each in meanings.reread(connection, meant, [id_]):
        if each.changes:
            _give(connection, [each], at)
        elif each.envelope_id is not None:
            _publish_again(connection, each, at)


def of_message(connection: Connection, message_uuid: UUID, *, also: Collection[Encounter] = ()) -> list[UUID]:
    """Return the events of that message, in the order in which they came, locked with their encounters.

    `also`: further encounters to lock, for whoever is about to keep events of them.
    """
    ids = store.ids_of_message(connection, message_uuid)
    _lock(connection, ids, also=also)
    return ids


def _lock(
    connection: Connection, ids: Collection[UUID], *, also: Collection[Encounter] = ()
) -> Sequence[RowMapping]:
    """Lock these events, and first the encounters they are of; return what never changes of them."""
    rows = store.rows(connection, ids, his_stored.FIELDS.hospital)
    visits.lock(connection, his_stored.encounters(rows) | set(also))
    store.lock(connection, ids)
    return rows


def _give(connection: Connection, found: Sequence[Reread], at: datetime) -> None:
    """Give each event the meaning it was read again with, and tell consumers. The events are locked."""
    messages.lock(connection, [each.event.message for each in found])
    changed = his_stored.as_known_now(connection, [each.event for each in found])
    withdrawn = set()
    for before, event in zip(found, changed, strict=True):
        if before.envelope_id is not None:
            outbox.withdraw(connection, before.envelope_id)
        meanings.change(connection, event)
        if _queue(connection, event, at):
            messages.mark_unprocessed(connection, event.message, by=None, at=at)
        else:
            withdrawn.add(event.message)
    for message in meanings.without_envelopes(connection, withdrawn):  # nobody will say they are processed
        messages.mark_processed(connection, message, by=None, at=at)


def _publish_again(connection: Connection, found: Reread, at: datetime) -> None:
    """Make the event's envelope wait again: the one that is kept, else one made anew."""
    if found.envelope_id is not None and outbox.wait_again(connection, found.envelope_id):
        return
    for event in his_stored.as_known_now(connection, [found.event]):
        _queue(connection, event, at)


def _queue(connection: Connection, event: NewEvent, at: datetime) -> int:
    """Make the event's envelope wait for the relay; return how many envelopes that are, 0 or 1."""
    if event.envelope_id is None or event.body is None:
        return 0
    envelope = Envelope(event.envelope_id, EVENT_ROUTING_KEY, event.body, event.correlation_id)
    return outbox.add(connection, envelope, message_uuid=event.message, sender=event.sender, at=at)
