"""`process_patient`: who the patient is (PID, and MRG in a merge; HL7 v2 chapter 3)."""

from datetime import date

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.hl7.subject import Subject
from dhos_connector_api.actions.hl7.values import name_in, part, sent
from dhos_connector_api.hl7v2.births import birth_of

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


def process_patient(subject: Subject, trigger: str, today: date | None = None) -> Action:
    """Return the action every full envelope has; existing consumers refuse an envelope without it.

    In: `today`, the day the message came, bounds the date of birth (`births.possible`).
    Decisions: `sex_sct` is always there, unknown where PID-8 is empty, `""` or no code we know, as
    the contract's "else" says; every other key is left out where nothing or `""` was sent, and a
    date where it is partial or impossible. Previous identifiers are those that were given up for the
    current ones; one that equals its survivor is left out, so that nobody is merged into himself.
    """
    pid = subject.pid
    name = name_in(pid, 5, typed=7, parts=(1, 2))
    birth, death = birth_of(pid, today), subject.death.on
    values = {
        "first_name": part(name, 2),
        "last_name": part(name, 1),
        "sex_sct": SEXES.get((sent(pid, 8) or "").upper(), UNKNOWN_SEX),
        "nhs_number": subject.identity.nhs_number,
        "mrn": subject.identity.mrn,
        "date_of_birth": birth and birth.date_iso(),
        "date_of_death": death and death.date_iso(),
    }
    if trigger in PATIENT_MERGES:
        values["previous_nhs_number"] = subject.previous.nhs_number
        values["previous_mrn"] = subject.previous.mrn
    return {
        "name": "process_patient",
        "data": {key: value for key, value in values.items() if value is not None},
    }
