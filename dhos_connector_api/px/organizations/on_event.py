"""What the feed does to patients: each envelope's facts are folded into what is known.

    with database.transaction() as connection:
        apply(connection, letters, clock.now())

In any order, and however often, the same envelopes leave the same patients.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.organizations import feed_store, merge_store
from dhos_connector_api.px.organizations.facts import Told, told_by
from dhos_connector_api.px.organizations.feed_store import Home
from dhos_connector_api.px.organizations.fold import Known, facts_of, fold
from dhos_connector_api.px.organizations.identity import Identifier, Who
from dhos_connector_api.px.organizations.merges import Merge, renamed
from dhos_connector_api.px.organizations.merges import fold as fold_merges

#: The name under which it records what it has applied.
CONSUMER = "organizations"


def apply(connection: Connection, letters: Sequence[Letter], at: datetime) -> None:
    """Apply envelopes to the patients they speak of, in this transaction.

    Raises ValueError, TypeError or KeyError for an envelope that fits no schema of ours.
    """
    told = [each for each in (told_by(letter.actions, letter.received_at) for letter in letters) if each]
    if not told:
        return
    merges = [each.merge for each in told if each.merge]
    if merges:
        merge_store.lock(connection)
    homes = feed_store.hospitals(connection, {_place(each) for each in told})
    feed_store.add(connection, _patients(told, homes), at)
    given = {id_ for each in told for id_ in _ids(each)}
    if merges:
        merge_store.add(connection, merges, at)
    joined, holding = merge_store.component(connection, given) if merges else (given, [])
    known = feed_store.lock(connection, joined)
    _fold(connection, known, told, homes)
    feed_store.save(connection, known, at)
    feed_store.add_identifiers(connection, _identifiers(told), at)
    if merges:
        merge_store.point(connection, joined, fold_merges(holding), at)


def _place(told: Told) -> tuple[str, str]:
    return told.source.lower(), told.who.facility


def _ids(told: Told) -> list[UUID]:
    return [told.who.id, *([told.prior.id] if told.prior else [])]


def _patients(
    told: Sequence[Told], homes: Mapping[tuple[str, str], Home]
) -> dict[UUID, tuple[Who, UUID | None]]:
    """Everybody who is spoken of, and his hospital where it is known."""
    found = {}
    for each in told:
        hospital, _ = homes.get(_place(each), (None, None))
        for who in (each.who, *([each.prior] if each.prior else [])):
            found[who.id] = (who, hospital)
    return found


def _fold(
    connection: Connection,
    known: dict[UUID, Known],
    told: Sequence[Told],
    homes: Mapping[tuple[str, str], Home],
) -> None:
    """Fold the facts into those who are told of, and into those whom their numbers were changed to."""
    for each in told:
        _, region = homes.get(_place(each), (None, None))
        fold(known[each.who.id], each.all_facts(region))
    changed = merge_store.renames(connection, known)
    _carry(connection, known, changed)


def _carry(connection: Connection, known: dict[UUID, Known], changed: Collection[Merge]) -> None:
    onward = renamed(changed, list(known))
    missing = {each for reached in onward.values() for each in reached} - known.keys()
    known.update(feed_store.lock(connection, missing) if missing else {})
    for patient, reached in onward.items():
        for each in reached:
            fold(known[each], facts_of(known[patient]))


def _identifiers(told: Sequence[Told]) -> list[tuple[UUID, Identifier]]:
    found = [(each.who.id, number) for each in told for number in each.identifiers]
    found += [(each.prior.id, number) for each in told if each.prior for number in each.prior.identifiers]
    return found
