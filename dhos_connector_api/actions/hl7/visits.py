"""The id of an encounter: the first there is of the fields the site names, and the prior one beside it.

HL7 v2 chapter 3 for PID, PV1 and MRG; IHE ITI PAM (ITI TF-2, 3.31) for ZBE.
"""

from collections.abc import Sequence
from typing import NamedTuple

from dhos_connector_api.actions.hl7.values import sent
from dhos_connector_api.hl7v2.segment import Segment


class _Place(NamedTuple):
    """A field with an encounter's id, and the field of MRG with what it was before; 0: there is none."""

    segment: str
    field: int
    prior: int


#: By the name the site file has for it.
_PLACES = {
    "PV1-19": _Place("PV1", 19, 5),  # visit number
    "PID-18": _Place("PID", 18, 3),  # account number
    "PV1-50": _Place("PV1", 50, 6),  # alternate visit id
    "ZBE-1": _Place("ZBE", 1, 0),  # movement id
}


class Visit(NamedTuple):
    """The ids of an encounter as of now, and before a merge or move; None where nothing was sent."""

    id: str | None
    prior: str | None


def read_visit(
    places: Sequence[str],
    *,
    pid: Segment | None = None,
    pv1: Segment | None = None,
    zbe: Segment | None = None,
    mrg: Segment | None = None,
) -> Visit:
    """Return the ids of the encounter of these segments; `places` are names, the preferred first.

    The prior id is of the same kind: an account number is never said to have become a visit number. Where
    there is no id, it is the first there is.
    """
    there = {"PV1": pv1, "PID": pid, "ZBE": zbe}
    for name in places:
        place = _PLACES[name]
        if found := sent(there[place.segment], place.field):
            return Visit(found, sent(mrg, place.prior) if place.prior else None)
    priors = (sent(mrg, _PLACES[name].prior) for name in places if _PLACES[name].prior)
    return Visit(None, next((each for each in priors if each), None))
