"""Which prior identifier of an MRG segment became which one of the patient (HL7 v2 chapter 3).

Made once for each group of PID and MRG: envelopes, `process_event.previous` and the search index of merged
identifiers all come from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import zip_longest
from typing import NamedTuple

from dhos_connector_api.hl7v2 import identifier_values
from dhos_connector_api.hl7v2.identifiers import (
    MRN,
    NHS_NUMBER,
    Identifier,
    Identifiers,
    patient_identifiers,
)
from dhos_connector_api.hl7v2.segment import Segment
from dhos_connector_api.hl7v2.terms import IdentifierTable


class Pair(NamedTuple):
    """A prior identifier and the one that survives it, of the same type where the patient has one."""

    prior: Identifier
    surviving: Identifier


class Known(NamedTuple):
    """The numbers a patient is known by."""

    mrn: str | None = None
    nhs_number: str | None = None


@dataclass(frozen=True, slots=True)
class Pairing:
    """The identifiers of an MRG, untyped ones with the type they are told to have, and what became of them.

    `pairs` are those that change: each prior identifier once, as often as it is sent. `is_same`: there
    are none, because what is given up is what survives.
    """

    priors: tuple[Identifier, ...]
    pairs: tuple[Pair, ...]
    is_same: bool

    @property
    def steps(self) -> list[Sequence[Pair]]:
        """Return the pairs in turns, each with at most one MRN and one NHS number that is given up."""
        if len(self.pairs) <= 1:
            return [self.pairs] if self.pairs else []
        of_type = ([pair for pair in self.pairs if pair.prior.type == kind] for kind in (MRN, NHS_NUMBER))
        return [[pair for pair in step if pair is not None] for step in zip_longest(*of_type)]


#: By type, authority and type code, from all of them to none (None: whichever).
_Survivors = Mapping[tuple[str | None, str | None, str | None], Identifier]


def pairing(pid: Segment, mrg: Segment, table: IdentifierTable, on: date | None) -> Pairing:
    """Return what became of each identifier of an MRG that belongs to that PID, and to no other.

    The surviving identifier is of the prior one's type: the one of its authority (CX.4), else of its type
    code (CX.5), else the best; where there is none of that type, the best there is. An untyped prior
    identifier has the type of the one of its authority; else it is an MRN where the patient has one, or an
    NHS number where it can be; else its type is ''.
    """
    return mrg.once(("pairing", table, on), lambda: _pairing(pid, mrg, table, on))


def now_known(identity: Known, step: Sequence[Pair]) -> Known:
    """Return the numbers of a patient after that step: those that survive in it before the best ones."""
    surviving = {prior.type: one.value for prior, one in step if prior.type == one.type}
    return Known(surviving.get(MRN, identity.mrn), surviving.get(NHS_NUMBER, identity.nhs_number))


def given_up(step: Sequence[Pair]) -> Known:
    """Return the numbers that are given up in that step."""
    prior = {pair.prior.type: pair.prior.value for pair in step}
    return Known(prior.get(MRN), prior.get(NHS_NUMBER))


def _pairing(pid: Segment, mrg: Segment, table: IdentifierTable, on: date | None) -> Pairing:
    survivors: _Survivors = pid.once(
        ("survivors", table, on), lambda: _survivors(patient_identifiers(pid, table, on))
    )
    given = patient_identifiers(mrg, table, on)
    has_typed = any(one.typed and one.type for one in given.all)
    priors = tuple([one if one.typed else _with_type(one, survivors, has_typed) for one in given.all])
    pairs: dict[tuple[str, str], Pair] = {}
    for one in priors:
        if one.type and (survivor := _surviving(one, survivors)):
            pairs.setdefault((one.type, one.value), Pair(one, survivor))
    changed = tuple(
        [pair for key, pair in pairs.items() if (pair.surviving.type, pair.surviving.value) != key]
    )
    return Pairing(priors, changed, bool(pairs) and not changed)


def _survivors(patient: Identifiers) -> _Survivors:
    survivors: dict[tuple[str | None, str | None, str | None], Identifier] = {}
    told = [one for one in patient.all if one.type]  # the best come first, then those of no type
    for each in [*told, *(one for one in patient.all if not one.type)]:
        for key in _keys(each):
            survivors.setdefault(key, each)
        if each.authority:
            survivors.setdefault((None, each.authority.upper(), None), each)
        if each.type:
            survivors.setdefault((None, None, None), each)
    return survivors


def _keys(one: Identifier) -> tuple[tuple[str | None, str | None, str | None], ...]:
    """What an identifier is looked up by, the closest first."""
    kind, authority, code = one.type, one.authority.upper(), one.code
    return (kind, authority, code), (kind, authority, None), (kind, None, code), (kind, None, None)


def _with_type(prior: Identifier, survivors: _Survivors, has_typed: bool) -> Identifier:
    """An untyped prior identifier with the type the survivors tell; '' where they do not."""
    number = identifier_values.nhs_number(prior.value)
    of_authority = survivors.get((None, prior.authority.upper(), None)) if prior.authority else None
    if of_authority is not None:
        kind = of_authority.type
    elif has_typed:
        kind = ""
    else:
        kind = MRN if (MRN, None, None) in survivors else NHS_NUMBER
    if kind == NHS_NUMBER:
        kind = NHS_NUMBER if number and (NHS_NUMBER, None, None) in survivors else ""
    if kind == prior.type:
        return prior
    return replace(prior, type=kind, value=number if kind == NHS_NUMBER else prior.value)


def _surviving(prior: Identifier, survivors: _Survivors) -> Identifier | None:
    for key in (*_keys(prior), (None, None, None)):
        if (survivor := survivors.get(key)) is not None:
            return survivor
    return None
