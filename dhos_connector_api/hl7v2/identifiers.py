"""Patient and visit identifiers (type CX, HL7 v2 chapter 2A), told apart by the site's table.

Assigning authority (CX.4) goes before type code (CX.5); a repetition that was out of force (CX.7, CX.8)
when the message was sent comes after the others. One that says neither is the MRN where no typed one
stands beside it (PID-3 was the hospital's own number up to v2.3), unless the site says otherwise.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from dhos_connector_api.hl7v2 import identifier_values
from dhos_connector_api.hl7v2.datetimes import Precision, parse
from dhos_connector_api.hl7v2.segment import DELETE, Repetition, Segment
from dhos_connector_api.hl7v2.terms import IdentifierTable

MRN = "MRN"
NHS_NUMBER = "NHS number"
VISIT_ID = "Visit ID"
#: Those of a patient.
_TYPES = frozenset({MRN, NHS_NUMBER})

LONGEST = 200  # characters; what is longer is no identifier
#: Where the identifiers stand: first the field of today, then that of v2.1 to v2.3.
FIELDS = {"PID": (3, 2), "MRG": (1, 2)}


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier. `type` is MRN, NHS_NUMBER or VISIT_ID, '' where the site's table knows no type.

    `authorities` are the name and the universal id of the one that assigned it, `code` is the type code, in
    capitals; one that stands in CX.4 is no authority. `typed`: these said what it is; else it stands for an
    MRN by default, if at all.
    """

    type: str
    value: str
    authorities: tuple[str, ...] = ()
    code: str = ""
    typed: bool = True


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The identifiers of a PID-3 or MRG-1: the best MRN and NHS number, if any, and all, best first.

    `whole`: no repetition is empty, or holds none (`unusable` tells which).
    """

    mrn: str | None
    nhs_number: str | None
    all: tuple[Identifier, ...]
    whole: bool


class Told(NamedTuple):
    """What the table makes of a value: its type or '', how it is written, whether only CX.5 said so."""

    type: str
    value: str
    by_type_only: bool


class _Ranked(NamedTuple):
    """An identifier with its worth: lower sorts first."""

    out_of_force: bool
    by_type_only: bool
    identifier: Identifier


def patient_identifiers(segment: Segment, table: IdentifierTable, on: date | None = None) -> Identifiers:
    """Return the identifiers in PID-3 of a PID segment, or MRG-1 of an MRG segment; DELETE and '' are none.

    PID-2 and MRG-2 are read in their place where these are empty; where they are not, a typed one there
    stands in for a type they lack. `on` is the day the message was sent (`Message.sent_on`); None: nothing
    counts as expired. Of the first MOST_REPETITIONS repetitions; the segment keeps what was found, and is
    read once.
    """
    return segment.once((table, on), lambda: _read(segment, table, on))


def _read(segment: Segment, table: IdentifierTable, on: date | None) -> Identifiers:
    newer, older = FIELDS[segment.name]
    ranked, whole = _of_field(segment, newer, table, on)
    if not ranked:
        ranked, no_less = _of_field(segment, older, table, on)
        whole = whole and no_less
    elif lacking := _TYPES.difference([one.identifier.type for one in ranked]):
        others, _ = _of_field(segment, older, table, on)
        ranked += [each for each in others if each.identifier.typed and each.identifier.type in lacking]
    if len(ranked) > 1:
        ranked.sort(key=itemgetter(0, 1))  # stable: else as sent
    every = tuple([one.identifier for one in ranked])
    return Identifiers(_first(every, MRN), _first(every, NHS_NUMBER), every, whole)


def _of_field(
    segment: Segment, field: int, table: IdentifierTable, on: date | None
) -> tuple[list[_Ranked], bool]:
    """The identifiers of one field, and whether every repetition is one."""
    repetitions = segment.repeated(field)
    ranked = [found for repetition in repetitions if (found := _ranked(repetition, table, on))]
    _type_untyped(ranked, table)
    return ranked, len(ranked) == len(repetitions)


def _type_untyped(ranked: list[_Ranked], table: IdentifierTable) -> None:
    """Make MRNs of those that say no type, as the site's table has it, where no other MRN is there."""
    untyped = [place for place, one in enumerate(ranked) if not one.identifier.typed]
    if not untyped or any(one.identifier.type == MRN for one in ranked):
        return
    if table.mrn_first_repetition:
        untyped = untyped[:1]
    elif not table.untyped_is_mrn:
        untyped = []
    for place in untyped:
        one = ranked[place]
        ranked[place] = one._replace(identifier=replace(one.identifier, type=MRN))


def _ranked(repetition: Repetition, table: IdentifierTable, on: date | None) -> _Ranked | None:
    """One repetition, told apart by the table; None when it holds no usable value."""
    value = identifier_values.plain(repetition.value())
    if not value or len(value) > LONGEST:
        return None
    name, universal, code = names_of(repetition)
    authorities = tuple([each.upper() for each in (name, universal) if each])
    kind, value, by_type_only = told(value, authorities, code, table)
    typed = bool(kind or code) or _says_nhs(authorities, table)
    if kind and by_type_only and not code:
        code, authorities = _code_of(authorities, table)
    out_of_force = on is not None and _out_of_force(repetition, on)
    return _Ranked(out_of_force, by_type_only, Identifier(kind, value, authorities, code, typed))


def _says_nhs(authorities: tuple[str, ...], table: IdentifierTable) -> bool:
    """Whether CX.4 says that it is an NHS number, though the value may be none."""
    known = (table.nhs_authorities, table.nhs_types)
    return any(not capitals(each).isdisjoint(authorities) for each in known)


def _code_of(authorities: tuple[str, ...], table: IdentifierTable) -> tuple[str, tuple[str, ...]]:
    """The type code that stands in the authority's place, and the authorities that are left."""
    types = capitals(table.mrn_types | table.nhs_types)
    code = next((each for each in authorities if each in types), "")
    return code, tuple([each for each in authorities if each != code])


def names_of(repetition: Repetition) -> tuple[str, str, str]:
    """Return the authority's name and universal id (CX.4.1 and .2), and the type code (CX.5) in capitals."""
    name, universal, code = repetition.value(4), repetition.value(4, 2), repetition.value(5)
    return _present(name), _present(universal), _present(code).upper()


def _out_of_force(repetition: Repetition, on: date) -> bool:
    """Return whether the identifier's first day (CX.7) is yet to come, or its last day (CX.8) is over.

    Either may be a month or a year; one that is no date says nothing.
    """
    begins, ends = repetition.value(7).strip(), repetition.value(8).strip()
    return bool((begins and _compared(begins, on) > 0) or (ends and _compared(ends, on) < 0))


def _compared(day: str, on: date) -> int:
    """1 where that day, month or year is after `on`, -1 where it is before it, else 0."""
    stamp = parse(day, UTC)
    if stamp is None:
        return 0
    digits = min(stamp.precision, Precision.DAY)
    given, sent = (each.isoformat().replace("-", "")[:digits] for each in (stamp.value.date(), on))
    return (given > sent) - (given < sent)


def told(value: str, authorities: Collection[str], code: str, table: IdentifierTable) -> Told:
    """Return what the table makes of a plain value. Authorities and type code are given in capitals.

    An NHS number has a right check digit, whoever says that it is one; what has none is judged by its
    type alone. A type code that stands in the authority's place counts where there is none in its own.
    """
    if not capitals(table.nhs_authorities).isdisjoint(authorities):
        number = identifier_values.nhs_number(value)
        if number:
            return Told(NHS_NUMBER, number, False)
    if not capitals(table.mrn_authorities).isdisjoint(authorities):
        return Told(MRN, value, False)
    codes = (code,) if code else authorities
    if not capitals(table.nhs_types).isdisjoint(codes):
        number = identifier_values.nhs_number(value)
        if number:
            return Told(NHS_NUMBER, number, True)
    return Told("" if capitals(table.mrn_types).isdisjoint(codes) else MRN, value, True)


def sought(kind: str, value: str) -> str:
    """Return what is asked for as it would be stored: an NHS number as digits, an MRN without blanks."""
    if kind == NHS_NUMBER:
        return identifier_values.digits_of(value)
    return identifier_values.without_blanks(value) if kind == MRN else value.strip()


@lru_cache(maxsize=64)
def capitals(codes: frozenset[str]) -> frozenset[str]:
    """Return the codes in capitals, as they are compared."""
    return frozenset([code.upper() for code in codes])


def _present(name: str) -> str:
    return "" if name == DELETE else name.strip()


def _first(identifiers: tuple[Identifier, ...], kind: str) -> str | None:
    for one in identifiers:
        if one.type == kind:
            return one.value
    return None
