"""Evidence in the order in which things happened, and what was known at each piece (pure)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from uuid import UUID

from dhos_connector_api.px.journeys import codes
from dhos_connector_api.px.journeys.evidence import CLOCK, Evidence, Move

_PLACE = attrgetter("place_in_time")


def in_time(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Return each event once, as its greatest generation was first told, in order of time.

    The opening stands before all that happened in its very instant: a source that tells minutes gives a
    visit's beginning and its end one time, and the end would come first by the accident of its id.
    """
    counting: dict[UUID, Evidence] = {}
    for each in evidence:
        known = counting.get(each.event_uuid)
        if known is None or _rank(each) < _rank(known):
            counting[each.event_uuid] = each
    pieces = sorted(counting.values(), key=_PLACE)
    place = next((place for place, each in enumerate(pieces) if is_opening(each)), 0)
    opening = pieces[place : place + 1]
    before = [each for each in pieces[:place] if each.occurred_at < opening[0].occurred_at]
    return before + opening + pieces[len(before) : place] + pieces[place + 1 :]


def moves_in_time(moves: Iterable[Move]) -> list[Move]:
    """Return each move once, in order of time."""
    ordered = sorted(moves, key=lambda each: (each.place_in_time, each.prior_id, each.patient_id))
    return sorted({each.event_uuid: each for each in ordered}.values(), key=_PLACE)


def is_opening(piece: Evidence) -> bool:
    """Return whether a journey begins with it."""
    return codes.folded(piece.code) in codes.OPENING


def known_at_each(pieces: Sequence[Evidence], name: str) -> list[str | None]:
    """Return, for each piece, the newest value of this field that was told at or before it."""
    found: list[str | None] = []
    value, ahead = None, 0
    for piece in pieces:
        while ahead < len(pieces) and pieces[ahead].occurred_at <= piece.occurred_at:
            value = getattr(pieces[ahead], name) or value
            ahead += 1
        found.append(value)
    return found


def moved_place(pieces: Iterable[Evidence]) -> frozenset[UUID]:
    """Return the events that told another place than was known; an opening tells the first."""
    place: str | None = None
    moved = set()
    for piece in pieces:
        if piece.department and piece.department != place:
            if place or not is_opening(piece):
                moved.add(piece.event_uuid)
            place = piece.department
    return frozenset(moved)


def deceased(pieces: Iterable[Evidence]) -> bool:
    """Return what the newest piece says that says anything of a death."""
    told = [each.deceased for each in pieces if each.deceased is not None]
    return bool(told and told[-1])


def newest_told(pieces: Iterable[Evidence], until: datetime | None = None) -> datetime | None:
    """Return when the newest of what feeds or persons tell happened, up to that time; None: nothing did."""
    told = (each.occurred_at for each in pieces if each.source != CLOCK)
    return max((each for each in told if until is None or each <= until), default=None)


def _rank(piece: Evidence) -> tuple[int, datetime, UUID]:
    return -piece.generation, piece.received_at.astimezone(UTC), piece.message_uuid
