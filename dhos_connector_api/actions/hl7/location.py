"""`process_location`: where the patient is, and was (PV1-3 and PV1-6; HL7 v2 chapter 3)."""

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.hl7.values import sent
from dhos_connector_api.hl7v2.segment import Segment

Location = dict[str, str | None]

WARD, BAY, BED = "epr_ward_code", "epr_bay_code", "epr_bed_code"
ASSIGNED, PRIOR = 3, 6  # fields of PV1


def read_location(pv1: Segment | None, field: int) -> Location:
    """Return point of care, room and bed (PL.1 to PL.3) of that PV1 field; None for nothing or `""`."""
    return {WARD: sent(pv1, field, 1), BAY: sent(pv1, field, 2), BED: sent(pv1, field, 3)}


def known(location: Location) -> Location | None:
    """Return the parts that were sent; None without a ward: nothing can be found by bay or bed alone."""
    if location[WARD] is None:
        return None
    return {key: code for key, code in location.items() if code is not None}


def process_location(location: Location | None, previous: Location | None) -> Action | None:
    """Return the action, None where no ward was sent. In: both locations as `known` gives them.

    Decision: bay and bed are left out, not null, where they were not sent; existing consumers build
    a location's code from the parts that are there, and treat null and missing alike.
    """
    if location is None:
        return None
    data: dict[str, Location] = {"location": location}
    if previous is not None:
        data["previous_location"] = previous
    return {"name": "process_location", "data": data}
