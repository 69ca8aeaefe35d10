"""Decide the type of a journey (emergency, inpatient, outpatient, day case), now and at each event (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from dhos_connector_api.px.journeys import codes
from dhos_connector_api.px.journeys.evidence import Evidence
from dhos_connector_api.px.journeys.template import JourneyType
from dhos_connector_api.px.journeys.timeline import is_opening

_TYPES = {str(each): each for each in JourneyType}


@dataclass(frozen=True, slots=True)
class Kinds:
    """The types, the last is what it is; `at` is that of each piece; `changed_by` told one.

    An opening that told the first of them changed nothing and is not among the events of `changed_by`.
    """

    types: tuple[JourneyType, ...]
    assumed: bool
    at: tuple[JourneyType, ...]
    changed_by: frozenset[UUID]


def kinds(pieces: Sequence[Evidence]) -> Kinds:
    """Return what evidence in order of time says of the type.

    Openings, A06 and A07 say it; where none of them does, the first other piece that tells one; where
    none does, it is taken for an outpatient's. Before it was first told it was what was told first.
    """
    told = _told(pieces)
    types = [told[min(told)] if told else JourneyType.OPD]
    at: list[JourneyType] = []
    changed_by = set()
    for place, piece in enumerate(pieces):
        found = told.get(place)
        if found is not None and (found is not types[-1] or (place == min(told) and not is_opening(piece))):
            changed_by.add(piece.event_uuid)
            types = [each for each in types if each is not found] + [found]
        at.append(types[-1])
    return Kinds(tuple(types), not told, tuple(at), frozenset(changed_by))


def _told(pieces: Sequence[Evidence]) -> dict[int, JourneyType]:
    """The places of the pieces that say it, with what they say."""
    named = {
        place: found for place, each in enumerate(pieces) if (found := _TYPES.get(each.journey_type or ""))
    }
    telling = {place: found for place, found in named.items() if _tells(pieces[place])}
    return telling or dict(list(named.items())[:1])


def _tells(piece: Evidence) -> bool:
    return is_opening(piece) or codes.folded(piece.code) in codes.CHANGING_TYPE
