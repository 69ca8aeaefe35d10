"""Which pieces of evidence speak of the same encounter (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from dhos_connector_api.px.journeys import codes
from dhos_connector_api.px.journeys.evidence import EncounterKey, Evidence

#: A source (lower case) and what it calls a hospital (folded).
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Encounter:
    """One encounter: its names, the one that its journey is under, and what is known of it."""

    key: EncounterKey
    names: frozenset[str]
    evidence: tuple[Evidence, ...]

    @property
    def keys(self) -> list[EncounterKey]:
        """Return all its names, in order."""
        return [self.key._replace(encounter_id=each) for each in sorted(self.names)]


@dataclass(frozen=True, slots=True)
class Grouped:
    """The encounters, and the evidence that cannot be given to one, each with the reason."""

    encounters: tuple[Encounter, ...]
    homeless: tuple[tuple[Evidence, str], ...]


def grouped(evidence: Sequence[Evidence], hospitals: Mapping[Place, UUID], only: UUID | None) -> Grouped:
    """Return the encounters that these pieces speak of.

    In: the hospital that each source means by a facility; `only` is the one there is, where there is but one.
    What names no facility belongs to the encounter of that number, if the sources that share the number tell
    of one: at several hospitals the patient's number decides.
    """
    placed: dict[tuple[str, UUID], list[Evidence]] = {}
    unplaced: list[Evidence] = []
    homeless: list[tuple[Evidence, str]] = []
    for each in evidence:
        found = hospitals.get((each.source, each.facility)) if each.facility else only
        hospital = each.hospital_id or found
        if hospital is not None:
            placed.setdefault((each.namespace, hospital), []).append(each)
        elif each.facility:
            homeless.append((each, "no_hospital"))
        else:
            unplaced.append(each)
    groups = [group for (where, told) in placed.items() for group in _encounters(*where, told)]
    for each in unplaced:
        _give(each, groups, homeless)
    return Grouped(tuple(_encounter(each) for each in groups), tuple(homeless))


@dataclass(slots=True)
class _Group:
    namespace: str
    hospital_id: UUID
    names: set[str]
    evidence: list[Evidence]


def _encounters(namespace: str, hospital: UUID, told: Iterable[Evidence]) -> list[_Group]:
    """The encounters of one hospital: names that events link are one."""
    owners: dict[str, _Group] = {}
    for each in told:
        names = _names(each)
        joined = {id(group): group for name in names if (group := owners.get(name))}
        first, *others = joined.values() or (_Group(namespace, hospital, set(), []),)
        for other in others:
            first.names |= other.names
            first.evidence += other.evidence
        first.names |= names
        first.evidence.append(each)
        owners.update(dict.fromkeys(names.union(*(each.names for each in others)), first))
    return list({id(group): group for group in owners.values()}.values())


def _names(evidence: Evidence) -> set[str]:
    before = evidence.previous.encounter_id if evidence.previous else None
    return {each for each in (evidence.encounter_id, before) if each}


def _give(evidence: Evidence, groups: list[_Group], homeless: list[tuple[Evidence, str]]) -> None:
    """Give it to the only encounter of its number, or the only one of those of its patient."""
    found = [
        each
        for each in groups
        if each.namespace == evidence.namespace and evidence.encounter_id in each.names
    ]
    if len(found) > 1:
        found = [each for each in found if evidence.mrn and _is_of(each, evidence.mrn)]
    if len(found) == 1:
        found[0].evidence.append(evidence)
    else:
        homeless.append((evidence, "several_hospitals" if found else "no_hospital"))


def _is_of(group: _Group, mrn: str) -> bool:
    return any(each.mrn == mrn for each in group.evidence)


def _encounter(group: _Group) -> Encounter:
    key = EncounterKey(group.namespace, group.hospital_id, _first_name(group))
    return Encounter(key, frozenset(group.names), tuple(group.evidence))


def _first_name(group: _Group) -> str:
    """The name under which the journey is: the first it had, so that its id stays when it gets another.

    Where several encounters became one, that of the earliest that opened.
    """
    if len(group.names) == 1:
        return next(iter(group.names))
    later = {each.encounter_id for each in group.evidence if each.encounter_id and len(_names(each)) > 1}
    names = (group.names - later) or group.names
    opened = {
        each.encounter_id: each.place_in_time
        for each in sorted(group.evidence, key=lambda each: each.place_in_time, reverse=True)
        if codes.folded(each.code) in codes.OPENING and each.encounter_id in names
    }
    return min(names, key=lambda name: (name not in opened, opened.get(name, ()), name))
