"""Evidence folded with what else there is to know: hospitals, templates, moves, departments, physicians.

Reads alone; nothing here writes.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection

from dhos_connector_api.px.journeys import codes, journey_store, link_store, version_store
from dhos_connector_api.px.journeys.changing import Change, Places, change_of
from dhos_connector_api.px.journeys.evidence import CLOCK, JOURNEY_OPENED, Evidence, History, Move
from dhos_connector_api.px.journeys.fold import fold
from dhos_connector_api.px.journeys.folded import Folded, StageNow
from dhos_connector_api.px.journeys.grouping import Encounter, grouped
from dhos_connector_api.px.journeys.metrics import FOLD_SECONDS
from dhos_connector_api.px.journeys.rows import Known
from dhos_connector_api.px.journeys.template import JourneyType, Version
from dhos_connector_api.px.organizations import called, feed_store


@dataclass(frozen=True, slots=True)
class Outcome:
    """An encounter and what it is folded to, None: nothing opened it, or there is no template for it.

    `versions` are those it is folded with, `known` the journeys that there are under its names.
    """

    encounter: Encounter
    history: History
    versions: Mapping[JourneyType, Version]
    known: Mapping[UUID, Known]
    folded: Folded | None


@dataclass(frozen=True, slots=True)
class Found:
    """The outcomes, and by event why evidence that could not be applied waits, and its hospital if known."""

    outcomes: tuple[Outcome, ...]
    waiting: dict[UUID, tuple[str, UUID | None]]


def folded(connection: Connection, evidence: Sequence[Evidence], renew: UUID | None = None) -> Found:
    """Return what these pieces of evidence, all that there are of some encounters, are folded to.

    Journeys keep the versions of templates they have, but of the template `renew` get its newest.
    """
    places = {(each.source, each.facility) for each in evidence if each.facility}
    homes = {place: home for place, (home, _) in feed_store.hospitals(connection, places).items()}
    is_placeless = any(not each.facility for each in evidence)
    only = called.only_hospital(connection) if is_placeless else None
    found = grouped(evidence, homes, only)
    ids = {key.journey_id for each in found.encounters for key in each.keys}
    known = journey_store.get(connection, ids)
    histories = _histories(connection, found.encounters)
    versions = _versions(connection, found.encounters, known, renew)
    outcomes = tuple(
        _outcome(each, history, versions, known)
        for each, history in zip(found.encounters, histories, strict=True)
    )
    waiting: dict[UUID, tuple[str, UUID | None]] = {
        each.event_uuid: (reason, None) for each, reason in found.homeless
    }
    for each in outcomes:
        if each.folded is None:
            why = "no_template" if fold({}, each.history) else "no_journey", each.encounter.key.hospital_id
            waiting |= dict.fromkeys((one.event_uuid for one in each.encounter.evidence), why)
    return Found(outcomes, waiting)


def changes(connection: Connection, outcomes: Sequence[Outcome]) -> list[Change]:
    """Return what changes of the journeys: those of which nothing does are left out."""
    departments, physicians = set(), set()
    for each in outcomes:
        if each.folded is not None:
            hospital = each.encounter.key.hospital_id
            told: list[Folded | StageNow] = [each.folded, *each.folded.stages]
            departments |= {(hospital, one.department) for one in told if one.department}
            physicians |= {(hospital, one.physician) for one in told if one.physician}
    places = Places(called.departments(connection, departments), called.physicians(connection, physicians))
    found = (
        change_of(each.encounter, each.history, each.folded, each.versions, each.known, places)
        for each in outcomes
    )
    return [each for each in found if each is not None]


def _histories(connection: Connection, encounters: Sequence[Encounter]) -> list[History]:
    patients = {one.patient_id for each in encounters for one in each.evidence if one.patient_id}
    moves = link_store.moves(connection, patients)
    return [History(each.evidence, tuple(_moves_of(each, moves))) for each in encounters]


def _moves_of(encounter: Encounter, moves: Sequence[Move]) -> list[Move]:
    """The moves that lead on from the patients of the encounter."""
    if not moves:
        return []
    reached = {each.patient_id for each in encounter.evidence}
    while more := {each.patient_id for each in moves if each.prior_id in reached} - reached:
        reached |= more
    return [each for each in moves if each.prior_id in reached]


#: Versions, by the journey they are of.
_Chosen = dict[UUID, dict[JourneyType, Version]]


def _versions(
    connection: Connection,
    encounters: Sequence[Encounter],
    known: Mapping[UUID, Known],
    renew: UUID | None,
) -> _Chosen:
    """The versions of each encounter: those that its journey has, or was opened with, else the defaults."""
    kept = {each.key.journey_id: _kept(each, known) for each in encounters}
    wanted = {(each.key.hospital_id, JourneyType(name)) for each in encounters for name in _types(each)}
    missing = {
        (each.key.hospital_id, type_)
        for each in encounters
        for hospital, type_ in wanted
        if hospital == each.key.hospital_id and type_ not in kept[each.key.journey_id]
    }
    defaults = version_store.defaults(connection, missing)
    found = version_store.get(connection, {id_ for each in kept.values() for id_ in each.values()})
    if renew is not None and (newest := version_store.newest(connection, renew)):
        found = {id_: newest if each.template_id == renew else each for id_, each in found.items()}
    chosen: _Chosen = {}
    for each in encounters:
        own = kept[each.key.journey_id]
        of_hospital = {type_: one for (home, type_), one in defaults.items() if home == each.key.hospital_id}
        chosen[each.key.journey_id] = of_hospital | {
            type_: found[id_] for type_, id_ in own.items() if id_ in found
        }
    return chosen


def _types(encounter: Encounter) -> set[str]:
    """The types it may be of: those that are told, and the one that is assumed where none is."""
    told = {word for each in encounter.evidence for word in (each.journey_type, each.default_type) if word}
    return told or {JourneyType.OPD}


def _kept(encounter: Encounter, known: Mapping[UUID, Known]) -> dict[JourneyType, UUID]:
    """The ids of the versions that are settled: what a person opened it with, over those the journey has."""
    found: dict[JourneyType, UUID] = {}
    for key in reversed(encounter.keys):
        if key.journey_id in known:
            found |= _ids(known[key.journey_id].columns["templates"])
    if encounter.key.journey_id in known:
        found |= _ids(known[encounter.key.journey_id].columns["templates"])
    for each in encounter.evidence:
        if each.code == JOURNEY_OPENED and each.template_version_id and each.journey_type:
            found.setdefault(JourneyType(each.journey_type), each.template_version_id)
    return found


def _ids(templates: Mapping[str, str]) -> dict[JourneyType, UUID]:
    return {JourneyType(name): UUID(id_) for name, id_ in templates.items()}


def _outcome(encounter: Encounter, history: History, chosen: _Chosen, known: Mapping[UUID, Known]) -> Outcome:
    versions = chosen[encounter.key.journey_id]
    began = time.perf_counter()
    found = fold(versions, history)
    FOLD_SECONDS.observe(time.perf_counter() - began)
    own = {key.journey_id: known[key.journey_id] for key in encounter.keys if key.journey_id in known}
    if found is None and own:
        found = fold(versions, _withdrawn(encounter, history, min(own.values(), key=_started)))
    elif found is not None and not own and all(each in found.missing for each in found.types):
        found = None
    return Outcome(encounter, history, versions, own, found)


def _started(known: Known) -> Any:
    return known.columns["started_at"]


def _withdrawn(encounter: Encounter, history: History, known: Known) -> History:
    """The history of a journey that nothing opens any more, as its event means something else now: it is
    opened as it was, and cancelled after all.
    """
    journey, began = encounter.key.journey_id, known.columns["started_at"]
    opened = Evidence(
        event_uuid=uuid5(journey, "opened"),
        occurred_at=began,
        received_at=began,
        message_uuid=journey,
        source=CLOCK,
        code=JOURNEY_OPENED,
        namespace=encounter.key.namespace,
        facility="",
        encounter_id=encounter.key.encounter_id,
        journey_type=known.columns["journey_type"],
    )
    ended = max(began, *(each.occurred_at for each in encounter.evidence)) + timedelta(microseconds=1)
    taken_back = replace(
        opened, event_uuid=uuid5(journey, "withdrawn"), code=codes.WITHDRAWN, occurred_at=ended
    )
    return History((*history.evidence, opened, taken_back), history.moves)
