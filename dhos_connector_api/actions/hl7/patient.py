"""`process_patient`: who the patient is (PID, and MRG in a merge; HL7 v2 chapter 3)."""

from datetime import UTC, date

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.hl7.subject import Subject
from dhos_connector_api.actions.hl7.values import name_in, part, sent, timestamp
from dhos_connector_api.hl7v2.births import birth_of
from dhos_connector_api.hl7v2.datetimes import Timestamp, is_filler
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

_DATE_OF_DEATH, _IS_DEAD = 29, 30  # fields of PID


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
    birth, death = birth_of(pid, today), _death(pid)
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


def deceased(pid: Segment) -> bool | None:
    """Return whether the patient has died: PID-29 holds a date of any precision, or PID-30 says `Y`.

    None where neither says anything; zeros and other fillers in PID-29 are no death.
    """
    if _death(pid) is not None:
        return True
    return {"Y": True, "N": False}.get((sent(pid, _IS_DEAD) or "").upper())


def _death(pid: Segment) -> Timestamp | None:
    """PID-29 as it is written, whatever the zone."""
    value = timestamp(pid, _DATE_OF_DEATH, UTC)
    return None if value is None or is_filler(value.value.date()) else value
