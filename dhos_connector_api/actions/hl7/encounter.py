"""`process_encounter`: the patient's stay (PV1, and MRG in a merge; HL7 v2 chapter 3)."""

from datetime import tzinfo

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.hl7.subject import Subject
from dhos_connector_api.actions.hl7.values import moment, sent

ADMISSION_CANCELLED = frozenset({"A11", "A23", "A27", "A38"})
TRANSFER_CANCELLED = "A12"
DISCHARGE_CANCELLED = "A13"
ENCOUNTER_MOVED = "A44"
#: The triggers that take a discharge back, or one to come: a PV1-45 is that of the discharge taken back.
NOT_DISCHARGED = frozenset({DISCHARGE_CANCELLED, "A25"})


def process_encounter(subject: Subject, trigger: str, zone: tzinfo) -> Action | None:
    """Return the action, or None where PV1-44, PV1-2.1, PV1-3.1 or the id (`visits`) is missing.

    Existing consumers refuse an encounter without them, and the patient's data with it.
    Decisions: a PV1-44 that is no date, a filler, or a month or year alone, counts as missing. What
    MRG or PV1-45 do not say is left out, not null.
    """
    pv1 = subject.pv1
    admitted_at = moment(pv1, 44, zone)
    encounter_type = sent(pv1, 2)
    if not (admitted_at and encounter_type and subject.encounter_id and subject.known_location):
        return None
    data = {
        "epr_encounter_id": subject.encounter_id,
        "location": subject.known_location,
        "encounter_type": encounter_type,
        "admitted_at": admitted_at,
        "admission_cancelled": trigger in ADMISSION_CANCELLED,
        "transfer_cancelled": trigger == TRANSFER_CANCELLED,
        "discharge_cancelled": trigger == DISCHARGE_CANCELLED,
        "encounter_moved": trigger == ENCOUNTER_MOVED,
        "patient_deceased": bool(subject.death.is_dead),
    }
    optional = {
        "discharged_at": subject.discharged_at,
        "parent_encounter_id": subject.prior_encounter_id,
        "epr_previous_location_code": sent(subject.mrg, 6),
        "previous_location": subject.known_previous,
    }
    data.update({key: value for key, value in optional.items() if value is not None})
    return {"name": "process_encounter", "data": data}
