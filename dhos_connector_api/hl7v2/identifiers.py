"""Patient and visit identifiers (type CX, HL7 v2 chapter 2A), told apart by the site's table.

Assigning authority (CX.4) goes before type code (CX.5); a repetition that had expired (CX.8) when
the message was sent comes after the others; nothing is guessed from position unless the site asks for it.
"""

from dataclasses import dataclass
from datetime import UTC, date
from functools import lru_cache

from dhos_connector_api.hl7v2.datetimes import Precision, parse
from dhos_connector_api.hl7v2.segment import DELETE, Repetition, Segment
from dhos_connector_api.hl7v2.terms import IdentifierTable

MRN = "MRN"
NHS_NUMBER = "NHS number"
VISIT_ID = "Visit ID"

_LONGEST = 200  # characters; what is longer is no identifier
_FIELDS = {"PID": 3, "MRG": 1}


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier. `type` is MRN, NHS_NUMBER or VISIT_ID, '' where the site's table knows no type."""

    type: str
    value: str
    authority: str = ""


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The identifiers of a PID-3 or MRG-1: the best MRN and NHS number, if any, and all, best first."""

    mrn: str | None
    nhs_number: str | None
    all: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """An identifier with its worth: lower sorts first."""

    expired: bool
    by_type_only: bool
    identifier: Identifier


def patient_identifiers(segment: Segment, table: IdentifierTable, on: date | None = None) -> Identifiers:
    """Return the identifiers in PID-3 of a PID segment, or MRG-1 of an MRG segment; DELETE and '' are none.

    `on` is the day the message was sent (`Message.sent_on`); None: nothing counts as expired. Of the
    first MOST_REPETITIONS repetitions; the segment keeps what was found, and is read once.
    """
    return segment.once((table, on), lambda: _read(segment.repeated(_FIELDS[segment.name]), table, on))


def _read(repetitions: list[Repetition], table: IdentifierTable, on: date | None) -> Identifiers:
    ranked = [found for repetition in repetitions if (found := _ranked(repetition, table, on))]
    if ranked and table.mrn_first_repetition and not any(one.identifier.type == MRN for one in ranked):
        first = ranked[0].identifier
        if first.type != NHS_NUMBER:
            ranked[0] = _Ranked(ranked[0].expired, True, Identifier(MRN, first.value, first.authority))
    ranked.sort(key=lambda one: (one.expired, one.by_type_only))  # stable: else as sent
    every = tuple([one.identifier for one in ranked])
    return Identifiers(_first(every, MRN), _first(every, NHS_NUMBER), every)


def _ranked(repetition: Repetition, table: IdentifierTable, on: date | None) -> _Ranked | None:
    """One repetition, told apart by the table; None when it holds no usable value."""
    value = _usable(repetition.value())
    if not value:
        return None
    authority = repetition.value(4).strip()
    code = repetition.value(5).strip()
    authorities = {authority.upper(), repetition.value(4, 2).strip().upper()} - {""}
    kind, by_type_only = kind_of(authorities, code.upper(), table)
    if kind == NHS_NUMBER:
        value = value.replace(" ", "")  # printed 943 476 5919, held as ten digits
    expired = _expired(repetition.value(8).strip(), on)
    return _Ranked(expired, by_type_only, Identifier(kind, value, authority))


def _expired(expires: str, on: date | None) -> bool:
    """Return whether CX.8, the last day (month, year) an identifier is valid, was over on that day.

    What cannot be known has not expired: no day to compare with, or a CX.8 that is no date.
    """
    stamp = parse(expires, UTC) if expires and on else None
    if stamp is None or on is None:
        return False
    digits = min(stamp.precision, Precision.DAY)
    return stamp.value.date().isoformat().replace("-", "")[:digits] < on.isoformat().replace("-", "")[:digits]


def kind_of(authorities: set[str], code: str, table: IdentifierTable) -> tuple[str, bool]:
    """Return MRN, NHS_NUMBER or '', and whether only the type code said so. All given in capitals."""
    if not authorities.isdisjoint(_capitals(table.nhs_authorities)):
        return NHS_NUMBER, False
    if not authorities.isdisjoint(_capitals(table.mrn_authorities)):
        return MRN, False
    if code in _capitals(table.nhs_types):
        return NHS_NUMBER, True
    return (MRN if code in _capitals(table.mrn_types) else ""), True


@lru_cache(maxsize=64)
def _capitals(codes: frozenset[str]) -> frozenset[str]:
    return frozenset([code.upper() for code in codes])


def _usable(value: str) -> str:
    """The value without surrounding space; '' for DELETE and for what is too long to be an identifier."""
    value = value.strip()
    return "" if value == DELETE or len(value) > _LONGEST else value


def _first(identifiers: tuple[Identifier, ...], kind: str) -> str | None:
    return next((one.value for one in identifiers if one.type == kind), None)
