"""What the codes of events mean to a journey (pure).

HL7's are `ADT_A01` and so on, those of sources and webhooks as they are sent; case is no matter.
"""

from functools import lru_cache

#: A journey begins with one of these; all other evidence waits for it.
OPENING = frozenset({"ADT_A01", "ADT_A04", "HIS_ADMITTED", "VISIT_STARTED", "JOURNEY_OPENED"})
DISCHARGES = frozenset({"ADT_A03", "HIS_DISCHARGED", "PATIENT_DISCHARGED"})
#: The ends of an outpatient's visit.
VISIT_ENDS = frozenset({"VISIT_COMPLETED", "OPD_VISIT_COMPLETED"})
CANCELLING = frozenset({"ADT_A11", "ADT_A23", "ADT_A27", "ADT_A38"})
#: The event that opened a journey means something else now: the clock says so.
WITHDRAWN = "JOURNEY_WITHDRAWN"
REOPENING = frozenset({"ADT_A13"})
#: The type of the journey changes with these, beside those that open one.
CHANGING_TYPE = frozenset({"ADT_A06", "ADT_A07"})
#: The encounter has another name from then on, beside the one before (`previous.encounter_id`): it is named
#: by its account or visit, and these merge, move or change accounts or visits. Others that name a visit
#: before (an A40 with MRG-5) speak of the patient, and join no two stays.
RENAMING = frozenset({"ADT_A35", "ADT_A36", "ADT_A41", "ADT_A42", "ADT_A45", "ADT_A50"})
#: What was one patient's is another's, who lives on beside him: the encounter that is named.
MOVING = frozenset({"ADT_A43", "ADT_A44", "ADT_A45"})
#: Where none is named, all that was his. A44 and A45 move one account or visit: of which nothing is known
#: where it is not named.
MOVING_ALL = frozenset({"ADT_A43"})
#: Of two patients one survives; `organizations.merges` says who.
MERGING = frozenset({"ADT_A18", "ADT_A30", "ADT_A34", "ADT_A36", "ADT_A39", "ADT_A40", "ADT_A47"})
#: What a journey is without any of these is another one: of those none is ever too many.
DECIDING = frozenset().union(
    *(OPENING, DISCHARGES, VISIT_ENDS, CANCELLING, REOPENING, CHANGING_TYPE, RENAMING, MOVING, MERGING)
)


@lru_cache(4096)
def folded(code: str) -> str:
    """Return a code as it is compared with those above."""
    return code.strip().upper()
