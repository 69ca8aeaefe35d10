"""The repetitions of PID-3 and MRG-1 (or what is read in their place) that are no identifiers, and why."""

from collections.abc import Iterator
from datetime import date

from dhos_connector_api.hl7v2 import identifier_values
from dhos_connector_api.hl7v2.identifiers import (
    FIELDS,
    LONGEST,
    capitals,
    names_of,
    patient_identifiers,
    told,
)
from dhos_connector_api.hl7v2.segment import DELETE, Repetition, Segment
from dhos_connector_api.hl7v2.terms import IdentifierTable

_NONE = "is no identifier: a word, zeros or marks that stand for none, or too long"
#: Type codes with which the NHS as authority says that it is one: none, and the national plan's (table 0203).
_OF_NHS = frozenset({"", "NH"})
_NHS = "is no NHS number: it has not ten digits, ten equal ones, or a wrong check digit"


def unusable(segment: Segment, table: IdentifierTable, on: date | None) -> Iterator[tuple[int, int, str]]:
    """Return field, repetition (from 1) and reason of what was sent as an identifier and is none.

    What is of a type that the site's table does not know is not among them: nobody asked for it.
    """
    found = patient_identifiers(segment, table, on)
    untold = [one for one in found.all if not one.type]
    if found.whole and not (untold and any(_says_nhs({*one.authorities}, one.code, table) for one in untold)):
        return  # the most frequent kind
    for field in FIELDS[segment.name]:
        repetitions = segment.repeated(field)
        for number, repetition in enumerate(repetitions, start=1):
            if why := _fault(repetition, table):
                yield field, number, why
        if any(identifier_values.plain(each.value()) for each in repetitions):
            return  # the older field was not needed


def _fault(repetition: Repetition, table: IdentifierTable) -> str | None:
    value = repetition.value().strip()
    if not value or value == DELETE:
        return None
    plain = identifier_values.plain(value)
    if not plain or len(plain) > LONGEST:
        return _NONE
    authority, universal, code = names_of(repetition)
    names = {name.upper() for name in (authority, universal) if name}
    return _NHS if _says_nhs(names, code, table) and not told(plain, names, code, table).type else None


def _says_nhs(authorities: set[str], code: str, table: IdentifierTable) -> bool:
    """Whether it is said to be an NHS number, and nothing else."""
    types = capitals(table.nhs_types)
    if code in types:
        return True
    return code in _OF_NHS and not authorities.isdisjoint(types | capitals(table.nhs_authorities))
