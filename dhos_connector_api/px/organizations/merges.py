"""The survivor of each patient who is merged, from the set of all merges (pure).

The set is sorted, so the order in which merges arrive does not matter, and one that comes twice is one. A
merge that would lead back to the one who is given up is refused. Of two that give up the same patient the
later counts.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class Kind(StrEnum):
    """What is given up: a patient for another, or a number alone (A47), whose facts the new one has."""

    MERGE = "merge"
    RENAME = "rename"


class Merge(NamedTuple):
    """What an event says: `prior` is given up for `survivor`. They sort by time and event."""

    occurred_at: datetime
    event_uuid: UUID
    prior: UUID
    survivor: UUID
    kind: Kind = Kind.MERGE


def fold(merges: Iterable[Merge]) -> dict[UUID, UUID]:
    """Return the final survivor of each patient that is given up."""
    parents: dict[UUID, UUID] = {}
    for each in sorted(set(merges)):
        if each.prior not in _path(parents, each.survivor):
            parents[each.prior] = each.survivor
    return {prior: _path(parents, prior)[-1] for prior in parents}


def renamed(merges: Iterable[Merge], patients: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Return for each of these patients all whose number his was changed to, step by step; none: left out.

    Each rename counts, also one that `fold` refuses: so nothing depends on what came first.
    """
    steps: dict[UUID, set[UUID]] = {}
    for each in merges:
        if each.kind is Kind.RENAME:
            steps.setdefault(each.prior, set()).add(each.survivor)
    found = {patient: _reached(steps, patient) for patient in patients}
    return {patient: sorted(reached) for patient, reached in found.items() if reached}


def _path(parents: Mapping[UUID, UUID], patient: UUID) -> list[UUID]:
    path = [patient]
    while (following := parents.get(path[-1])) is not None:
        path.append(following)
    return path


def _reached(steps: Mapping[UUID, set[UUID]], start: UUID) -> set[UUID]:
    reached, waiting = set[UUID](), [start]
    while waiting:
        for each in steps.get(waiting.pop(), set()) - reached:
            reached.add(each)
            waiting.append(each)
    return reached - {start}
