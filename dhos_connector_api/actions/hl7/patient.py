"""`process_patient`: who the patient is (PID, and MRG in a merge; HL7 v2 chapter 3)."""

from datetime import UTC

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.hl7.subject import Subject
from dhos_connector_api.actions.hl7.values import sent, timestamp
from dhos_connector_api.hl7v2.segment import Segment

#: SNOMED CT codes by PID-8, HL7 table 0001 and the NHS data dictionary's numbers.
SEXES = {
    "M": "248153007",
    "1": "248153007",
    "F": "248152002",
    "2": "248152002",
    "I": "32570681000036106",
    "4": "32570681000036106",
}
UNKNOWN_SEX = "184115007"

#: Merges whose old identifiers the platform's consumers merge patients by.
PATIENT_MERGES = frozenset({"A34", "A40"})

DATE_OF_BIRTH, DATE_OF_DEATH = 7, 29  # fields of PID


def process_patient(subject: Subject, trigger: str) -> Action:
    """Return the action every full envelope has; existing consumers refuse an envelope without it.

    Decisions: `sex_sct` is always there, unknown where PID-8 is empty, `""` or no code we know, as
    the contract's "else" says; every other key is left out where nothing or `""` was sent, and a
    date where it is partial or impossible. Previous identifiers are those that were given up for the
    current ones; one that equals its survivor is left out, so that nobody is merged into himself.
    """
    pid = subject.pid
    values = {
        "first_name": sent(pid, 5, 2),
        "last_name": sent(pid, 5, 1),
        "sex_sct": SEXES.get((sent(pid, 8) or "").upper(), UNKNOWN_SEX),
        "nhs_number": subject.identity.nhs_number,
        "mrn": subject.identity.mrn,
        "date_of_birth": _date(pid, DATE_OF_BIRTH),
        "date_of_death": _date(pid, DATE_OF_DEATH),
    }
    if trigger in PATIENT_MERGES:
        values["previous_nhs_number"] = subject.previous.nhs_number
        values["previous_mrn"] = subject.previous.mrn
    return {
        "name": "process_patient",
        "data": {key: value for key, value in values.items() if value is not None},
    }


def _date(pid: Segment, field: int) -> str | None:
    """`YYYY-MM-DD` as it is written, whatever the zone; None for a month or year alone."""
    value = timestamp(pid, field, UTC)
    return None if value is None else value.date_iso()
