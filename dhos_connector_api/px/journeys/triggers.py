"""Which events complete a stage (pure).

Codes are compared as people write them: without case, blanks, underscores and hyphens, whatever the script.
"""

import re
import unicodedata
from functools import lru_cache

#: What a trigger puts between codes, any of which will do.
_OR = "|"
# Blanks, underscores, hyphens and dashes, and the unseen marks of direction that are copied with Arabic text.
_NO_MATTER = re.compile("[\\s_\u00ad\u061c\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u2069\ufeff-]+")
# HL7's events are `ADT_A03` to us, and `A03` to many who write templates.
_HL7_EVENT = re.compile(r"adt([a-z][0-9]{2})")
#: Document 000's HIS misspells a visit type, and the stages that are seeded from it were spelt either way.
_MISSPELT = {"clinicalcondtion": "clinicalcondition"}
_CACHED = 4096


def fits(trigger: str, code: str, source_code: str | None) -> bool:
    """Return whether an event completes a stage with this trigger: by its code, or the source's own for it.

    >>> fits("Doctor Visited", "DOCTOR_VISITED", None), fits("A03|Done", "ADT_A03", "discharge")
    (True, True)
    """
    return not _accepted(trigger).isdisjoint(_told(code, source_code))


@lru_cache(_CACHED)
def fitting(triggers: tuple[str, ...], code: str, source_code: str | None) -> tuple[int, ...]:
    """Return the places of those triggers which an event fits."""
    return tuple(place for place, each in enumerate(triggers) if fits(each, code, source_code))


@lru_cache(_CACHED)
def folded(code: str) -> str:
    """Return a code as it is compared; "" for one that says nothing.

    >>> folded(" Chief-Complaint "), folded("CHIEF_COMPLAINT")
    ('chiefcomplaint', 'chiefcomplaint')
    """
    plain = _plain(_plain(code))  # folding case may make work for the normal form, and the other way round
    return _MISSPELT.get(plain, plain)


def codes_of(trigger: str) -> list[str]:
    """Return the codes that a trigger names, as they are written."""
    # A full-width bar is a bar too.
    parts = unicodedata.normalize("NFKC", trigger).split(_OR)
    return [each.strip() for each in parts if folded(each)]


@lru_cache(_CACHED)
def _accepted(trigger: str) -> frozenset[str]:
    return frozenset(map(folded, codes_of(trigger)))


@lru_cache(_CACHED)
def _told(code: str, source_code: str | None) -> frozenset[str]:
    names = {folded(code), folded(source_code or "")} - {""}
    short = {found[1] for each in names if (found := _HL7_EVENT.fullmatch(each))}
    return frozenset(names | short)


def _plain(text: str) -> str:
    return _NO_MATTER.sub("", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))
