"""Decide which patient a journey belongs to, from the patients that its events name (pure).

One stay may be told by two sources, or by one under two spellings of its facility: then they name two
patients who are one. So only the source and facility that named a patient first (the anchor) say who it is;
of the others only what moves him to another patient counts.
"""

from collections.abc import Iterable, Sequence
from heapq import merge
from operator import attrgetter
from uuid import UUID

from dhos_connector_api.px.journeys import codes
from dhos_connector_api.px.journeys.evidence import Evidence, Move


def patient(pieces: Sequence[Evidence], moves: Sequence[Move]) -> tuple[UUID | None, frozenset[UUID]]:
    """Return the patient, and the events that made the journey another patient's; both in order of time.

    The newest piece of the anchor counts: of the source and facility that named a patient first. What moves
    the journey's patient elsewhere counts whoever tells it.
    """
    anchor = _anchor(pieces)
    current: UUID | None = None
    moved = set()
    for each in _together(pieces, moves):
        found = _found(each, anchor, current)
        if found is not None and found != current:
            if current is not None:
                moved.add(each.event_uuid)
            current = found
    return current, frozenset(moved)


def _together(pieces: Sequence[Evidence], moves: Sequence[Move]) -> Iterable[Evidence | Move]:
    return merge(pieces, moves, key=attrgetter("place_in_time")) if moves else pieces


def _anchor(pieces: Sequence[Evidence]) -> tuple[str, str] | None:
    naming = [(each.source, each.facility) for each in pieces if each.patient_id is not None]
    return next((each for each in naming if each[1]), naming[0] if naming else None)


def _found(each: Evidence | Move, anchor: tuple[str, str] | None, current: UUID | None) -> UUID | None:
    """The patient that this tells; None: none, or one of no matter."""
    if isinstance(each, Move):
        return each.patient_id if each.prior_id == current else None
    if (each.source, each.facility) == anchor:
        return each.patient_id
    if each.previous is None or codes.folded(each.code) not in codes.MOVING:
        return None
    return each.patient_id if each.previous.patient_id == current else None
