"""Which prior identifier of an MRG segment became which one of the patient (HL7 v2 chapter 3).

Made once for each group of PID and MRG: envelopes, `process_event.previous` and the search index of merged
identifiers all come from it.
"""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from graphlib import CycleError, TopologicalSorter
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
    are none, because what is given up is what survives. `remaining` are the best numbers of the patient
    that are not given up.
    """

    priors: tuple[Identifier, ...]
    pairs: tuple[Pair, ...]
    is_same: bool
    remaining: Known

    @property
    def steps(self) -> list[Sequence[Pair]]:
        """Return the pairs in turns, each with at most one MRN and one NHS number that is given up."""
        if len(self.pairs) <= 1:
            return [self.pairs] if self.pairs else []
        of_type = ([pair for pair in self.pairs if pair.prior.type == kind] for kind in (MRN, NHS_NUMBER))
        return [[pair for pair in step if pair is not None] for step in zip_longest(*of_type)]


#: Type, authority and type code, from all of them to none (None: whichever).
_Key = tuple[str | None, str | None, str | None]
#: Type and value.
_Number = tuple[str, str]


class _Survivors(NamedTuple):
    """The identifiers of a PID, the best first: by what they have in common with others, and by number."""

    like: Mapping[_Key, Sequence[Identifier]]
    of_number: Mapping[_Number, Sequence[Identifier]]


def pairing(pid: Segment, mrg: Segment, table: IdentifierTable, on: date | None) -> Pairing:
    """Return what became of each identifier of an MRG that belongs to that PID, and to no other.

    The surviving identifier is of the prior one's type: the one of its number, else of its authority (CX.4),
    else of its type code (CX.5), else the best; where there is none of that type, the best there is. One
    that the MRG gives up too survives only where there is no other of the same authority and type code.

    An untyped prior identifier that is an NHS number of the patient is one. Else it has the type of the
    patient's one of its authority; else it is an MRN where no MRN that says so stands beside it and the
    patient has one, or an NHS number where it can be; else its type is ''.
    """
    return mrg.once(("pairing", table, on), lambda: _pairing(pid, mrg, table, on))


def now_known(remaining: Known, step: Sequence[Pair]) -> Known:
    """Return the numbers of a patient after that step: those that survive in it before the remaining ones."""
    surviving = {prior.type: one.value for prior, one in step if prior.type == one.type}
    return Known(surviving.get(MRN, remaining.mrn), surviving.get(NHS_NUMBER, remaining.nhs_number))


def given_up(step: Sequence[Pair]) -> Known:
    """Return the numbers that are given up in that step."""
    prior = {pair.prior.type: pair.prior.value for pair in step}
    return Known(prior.get(MRN), prior.get(NHS_NUMBER))


def in_circle(groups: Sequence[Sequence[Pair]]) -> int | None:
    """Return which group of pairs is the first that leads in a circle with others, from 0; None: none does.

    1 becomes 2 and 2 becomes 1; what becomes of 2 in one group and of 3 in the next is a chain.
    """
    onward: dict[_Number, set[_Number]] = defaultdict(set)
    for prior, surviving in (pair for pairs in groups for pair in pairs):
        onward[_number(prior)].add(_number(surviving))
    try:
        TopologicalSorter(onward).prepare()
    except CycleError as error:
        circle = set(error.args[1])
        return next(
            place
            for place, pairs in enumerate(groups)
            if any({_number(prior), _number(surviving)} <= circle for prior, surviving in pairs)
        )
    return None


def _pairing(pid: Segment, mrg: Segment, table: IdentifierTable, on: date | None) -> Pairing:
    survivors = pid.once(("survivors", table, on), lambda: _survivors(patient_identifiers(pid, table, on)))
    given = patient_identifiers(mrg, table, on)
    has_mrn = any(one.typed and one.type == MRN for one in given.all)
    priors = tuple([one if one.typed else _with_type(one, survivors, has_mrn) for one in given.all])
    sent = {(one.type, one.value) for one in priors}
    pairs: dict[_Number, Pair] = {}
    for one in priors:
        if one.type and (survivor := _surviving(one, survivors, sent)):
            pairs.setdefault((one.type, one.value), Pair(one, survivor))
    changed = tuple([each for number, each in pairs.items() if number != _number(each.surviving)])
    remaining = Known(_remaining(MRN, survivors, sent), _remaining(NHS_NUMBER, survivors, sent))
    return Pairing(priors, changed, bool(pairs) and not changed, remaining)


def _number(one: Identifier) -> _Number:
    return one.type, one.value


def _remaining(kind: str, survivors: _Survivors, sent: Container[_Number]) -> str | None:
    """The patient's best number of that type, or what survives it."""
    best = survivors.like.get((kind, None, None))
    survivor = _surviving(best[0], survivors, sent) if best else None
    return survivor.value if survivor else None


def _survivors(patient: Identifiers) -> _Survivors:
    like: dict[_Key, list[Identifier]] = defaultdict(list)
    of_number: dict[_Number, list[Identifier]] = defaultdict(list)
    told = [one for one in patient.all if one.type]  # the best come first, then those of no type
    for each in [*told, *(one for one in patient.all if not one.type)]:
        for key in _keys(each):
            like[key].append(each)
        for authority in each.authorities:
            like[None, authority, None].append(each)
        if each.type:
            like[None, None, None].append(each)
            of_number[each.type, each.value].append(each)
    return _Survivors(like, of_number)


def _keys(one: Identifier) -> list[_Key]:
    """What an identifier is looked up by, the closest first; what it does not say has nothing in common."""
    kind, code, authorities = one.type, one.code, one.authorities
    keys: list[_Key] = [(kind, authority, code) for authority in authorities or ("",)]
    if authorities:
        keys += [(kind, authority, None) for authority in authorities]
    if code:
        keys += [(kind, None, code)]
    return [*keys, (kind, None, None)]


def _with_type(prior: Identifier, survivors: _Survivors, has_mrn: bool) -> Identifier:
    """An untyped prior identifier with the type the survivors tell; '' where they do not."""
    number = identifier_values.nhs_number(prior.value)
    of_authority = [one for each in prior.authorities for one in survivors.like.get((None, each, None), ())]
    if (NHS_NUMBER, number) in survivors.of_number:
        kind = NHS_NUMBER
    elif of_authority:
        kind = of_authority[0].type
    elif has_mrn:
        kind = ""
    else:
        kind = MRN if (MRN, None, None) in survivors.like else NHS_NUMBER
    if kind == NHS_NUMBER:
        kind = NHS_NUMBER if number and (NHS_NUMBER, None, None) in survivors.like else ""
    if kind == prior.type:
        return prior
    return replace(prior, type=kind, value=number if kind == NHS_NUMBER else prior.value)


def _surviving(prior: Identifier, survivors: _Survivors, sent: Container[_Number]) -> Identifier | None:
    """What survives a prior identifier. It follows from the number alone where that is the patient's too."""
    own = survivors.of_number.get((prior.type, prior.value))
    closest = own[0] if own else _closest(prior, survivors)
    if closest is None or _number(closest) not in sent:
        return closest
    alike = survivors.of_number[_number(closest)]
    others = [one for one in survivors.like[closest.type, None, None] if _number(one) not in sent]
    return next((one for one in others if any(_alike(one, each) for each in alike)), closest)


def _closest(prior: Identifier, survivors: _Survivors) -> Identifier | None:
    for key in (*_keys(prior), (None, None, None)):
        if found := survivors.like.get(key):
            return found[0]
    return None


def _alike(one: Identifier, other: Identifier) -> bool:
    """Whether type code and authority are the same; also where neither has an authority."""
    if one.code != other.code:
        return False
    return one.authorities == other.authorities or not {*one.authorities}.isdisjoint(other.authorities)
