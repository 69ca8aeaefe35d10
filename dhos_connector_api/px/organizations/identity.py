"""Which patient an envelope speaks of: ids that follow from what the source calls him (pure)."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID, uuid5

#: Of this project's own: names of patients made from what identifies them.
_PATIENTS = UUID("0b6f5d1c-9a0e-5b7e-8a55-1d3f8c1b7e02")
#: The namespace of every source: a HIS's number is the hospital's, as HL7's is.
SHARED = "hospital"
#: Types of identifiers, and the authorities of those that no facility gives out.
MRN, NHS_NUMBER, NATIONAL_ID = "MRN", "NHS number", "national id"
NHS, NATION = "NHS", "national"
#: Ids that are kept at hand: an envelope asks for each several times.
_KEPT = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """One number of a patient, of whoever gives it out."""

    authority: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Who:
    """A patient as one source at one facility (folded) calls him; there is one of the two numbers at least.

    Who(SHARED, folded("RXX"), "M1", None).id is the same wherever and whenever it is asked for.
    """

    namespace: str
    facility: str
    mrn: str | None
    nhs_number: str | None

    @property
    def id(self) -> UUID:
        """Return the patient's id: by the MRN at that facility; where there is none, by the NHS number."""
        if self.mrn:
            return patient_id(self.namespace, self.facility, MRN, self.mrn)
        if self.nhs_number:
            return patient_id(self.namespace, NHS, NHS_NUMBER, self.nhs_number)
        raise ValueError("a patient without a number")

    @property
    def identifiers(self) -> list[Identifier]:
        """Return the numbers, the one that names him first."""
        given = ((self.facility, MRN, self.mrn), (NHS, NHS_NUMBER, self.nhs_number))
        return [Identifier(authority, kind, value) for authority, kind, value in given if value]


@lru_cache(_KEPT)
def patient_id(namespace: str, authority: str, kind: str, value: str) -> UUID:
    """Return the id of the patient with that number. `authority` is a folded facility, or NHS."""
    return uuid5(_PATIENTS, "\0".join((namespace, authority, kind, value)))


def folded(text: str | None) -> str:
    """Return the name of a facility as it is compared: one blank between words, no case; '' for nothing."""
    return " ".join(unicodedata.normalize("NFKC", text or "").split()).casefold()
