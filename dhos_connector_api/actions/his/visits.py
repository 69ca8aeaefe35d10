"""The kinds of visit a HIS tells of, and the canonical event code of each (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ADMITTED, DISCHARGED, CORRECTED = "HIS_ADMITTED", "HIS_DISCHARGED", "HIS_PATIENT_UPDATED"

#: As the HIS spells them. `Clinical Condtion` is its own spelling; one day it may be put right.
BUILT_IN = {
    "Consultation": "CONSULTATION",
    "Doctor Visited": "DOCTOR_VISITED",
    "Clinical Condtion": "CLINICAL_CONDITION",
    "Clinical Condition": "CLINICAL_CONDITION",
    "ChiefComplaint": "CHIEF_COMPLAINT",
    "Prescribed Drugs": "PRESCRIBED_DRUGS",
}
#: Two spellings of one visit: the one put right is the same event as the other was.
_SAME = {"clinical condtion": "clinical condition"}


def kind(sent: str) -> str:
    """Return a type of visit as it is compared: trimmed, with single blanks, without case."""
    folded = " ".join(sent.split()).casefold()
    return _SAME.get(folded, folded)


@dataclass(frozen=True, slots=True)
class VisitTypes:
    """The built-in table, and what the site adds to it or says otherwise."""

    codes: Mapping[str, str] = field(default_factory=lambda: _folded(BUILT_IN))

    @classmethod
    def with_additions(cls, additions: Mapping[str, str]) -> "VisitTypes":
        """Return the table with the site's own spellings; each maps to its canonical event code."""
        return cls({**_folded(BUILT_IN), **_folded(additions)})

    def code(self, sent: str) -> str | None:
        """Return the canonical event code; None for a type that is kept as ignored."""
        return self.codes.get(kind(sent))


def _folded(table: Mapping[str, str]) -> dict[str, str]:
    return {kind(spelling): code for spelling, code in table.items()}
