"""The id of an encounter: the first there is of the fields the site names, and the prior one beside it.

HL7 v2 chapter 3 for PID, PV1 and MRG; IHE ITI PAM (ITI TF-2, 3.31) for ZBE.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

from dhos_connector_api.actions.hl7.values import sent
from dhos_connector_api.hl7v2.groups import PatientGroup, groups_or_nobody
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.rules import MOST_SEGMENTS
from dhos_connector_api.hl7v2.segment import Segment


class _Place(NamedTuple):
    """A field with an encounter's id, and the field of MRG with what it was before; 0: there is none."""

    of: Callable[[PatientGroup], Segment | None]
    field: int
    prior: int


#: By the name the site file has for it.
_PLACES = {
    "PV1-19": _Place(attrgetter("pv1"), 19, 5),  # visit number
    "PID-18": _Place(attrgetter("pid"), 18, 3),  # account number
    "PV1-50": _Place(attrgetter("pv1"), 50, 6),  # alternate visit id
    "ZBE-1": _Place(attrgetter("zbe"), 1, 0),  # movement id
}


class Visit(NamedTuple):
    """The ids of an encounter as of now, and before a merge or move; None where nothing was sent."""

    id: str | None
    prior: str | None


def visits_of(message: Message, places: Sequence[str]) -> list[Visit]:
    """Return the encounter of each of `groups_or_nobody`, up to MOST_SEGMENTS; `places`: the preferred first.

    They are read once. The prior id is of the same kind: an account number is never said to have become a
    visit number. Where there is no id, it is the first there is.
    """
    return message.msh.once(("visits", places), lambda: _of_groups(message, places))


def _of_groups(message: Message, places: Sequence[str]) -> list[Visit]:
    return [read_visit(places, group) for group in groups_or_nobody(message)[:MOST_SEGMENTS]]


def read_visit(places: Sequence[str], group: PatientGroup) -> Visit:
    """Return the ids of the encounter of one group."""
    mrg = group.mrg
    for name in places:
        place = _PLACES[name]
        if found := sent(place.of(group), place.field):
            return Visit(found, sent(mrg, place.prior) if mrg and place.prior else None)
    return Visit(None, prior_id(places, mrg) if mrg else None)


def prior_id(places: Sequence[str], mrg: Segment) -> str | None:
    """Return the first id of an encounter that an MRG has in the fields that belong to these places."""
    priors = (sent(mrg, _PLACES[name].prior) for name in places if _PLACES[name].prior)
    return next((each for each in priors if each), None)


def places_of_prior(field: int) -> list[str]:
    """Return the names of the places whose prior id stands in that field of MRG."""
    return [name for name, place in _PLACES.items() if place.prior == field]


def number_in(places: Sequence[str], pv1: Segment) -> str | None:
    """Return the first id of an encounter that a PV1 alone has, of nobody's group."""
    fields = (_PLACES[name].field for name in places if name.startswith("PV1-"))
    return next((found for field in fields if (found := sent(pv1, field))), None)
