"""What changes of a journey and its stages when it is folded anew (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dhos_connector_api.px.journeys.announcing import Announcement, announcements
from dhos_connector_api.px.journeys.evidence import EncounterKey, History
from dhos_connector_api.px.journeys.folded import Folded
from dhos_connector_api.px.journeys.grouping import Encounter
from dhos_connector_api.px.journeys.rows import Known, journey_columns, stage_columns, stage_id
from dhos_connector_api.px.journeys.template import JourneyType, Version

#: What is called so at a hospital.
_Called = Mapping[tuple[UUID, str], UUID]


@dataclass(frozen=True, slots=True)
class Places:
    """The departments and physicians that codes mean at each hospital."""

    departments: _Called
    physicians: _Called


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What changes: rows of journeys and stages by column, names of the encounter, and what is announced.

    `rows` are the journey's, and those of journeys that turn out to be the same. `message_uuid` is the newest
    message that told of it. `opened`: it is new. `before` and `stage_statuses` (by stage template) are what
    was.
    """

    id: UUID
    folded: Folded
    columns: Mapping[str, Any]
    version: Version | None
    message_uuid: UUID
    rows: Mapping[UUID, Mapping[str, Any]]
    stages: tuple[Mapping[str, Any], ...]
    dropped: tuple[UUID, ...]
    new_names: tuple[EncounterKey, ...]
    announcements: tuple[Announcement, ...]
    opened: bool
    before: Mapping[str, Any]
    stage_statuses: Mapping[UUID, str]


def change_of(
    encounter: Encounter,
    history: History,
    folded: Folded | None,
    versions: Mapping[JourneyType, Version],
    known: Mapping[UUID, Known],
    places: Places,
) -> Change | None:
    """Return what changes of the encounter's journey; None: nothing does, or there is no journey."""
    if folded is None:
        return None
    id_ = encounter.key.journey_id
    before = known.get(id_)
    absorbed = {key: each for key, each in known.items() if key != id_ and each.columns["merged_into"] != id_}
    columns, told = _columns(encounter, folded, versions, places, before, absorbed)
    rows = {key: _absorbed(each, id_) for key, each in absorbed.items()}
    stages, dropped = _stages(id_, encounter.key.hospital_id, folded, before, places)
    dropped += [stage_id(key, each) for key, one in absorbed.items() for each in one.stages]
    if before is None or before.columns != columns or stages or dropped:
        rows[id_] = columns  # also where only a stage changes: who has seen the journey has seen its stages
    if not rows:
        return None
    is_named = before is not None and not absorbed and len(encounter.names) == 1
    return Change(
        id=id_,
        folded=folded,
        columns=columns,
        version=_version(folded, versions),
        message_uuid=max(history.evidence, key=lambda each: each.received_at).message_uuid,
        rows=rows,
        stages=tuple(stages),
        dropped=tuple(dropped),
        new_names=() if is_named else tuple(encounter.keys),
        announcements=tuple(told),
        opened=before is None,
        before=before.columns if before else {},
        stage_statuses={id_: each["status"] for id_, each in before.stages.items()} if before else {},
    )


def _columns(
    encounter: Encounter,
    folded: Folded,
    versions: Mapping[JourneyType, Version],
    places: Places,
    before: Known | None,
    absorbed: Mapping[UUID, Known],
) -> tuple[dict[str, Any], list[Announcement]]:
    """The journey's row, and what is to be announced: of those that turn out to be one, neither is lost."""
    one = [each.columns for each in (before, *absorbed.values()) if each]
    spoken_of = [key for key, each in absorbed.items() if "status" in each.columns["announced"]]
    told, announced = announcements(_joined([each["announced"] for each in one]), folded, spoken_of)
    hospital, version = encounter.key.hospital_id, _version(folded, versions)
    columns = journey_columns(
        encounter.key,
        folded,
        templates={str(each): versions[each].id for each in folded.types if each in versions},
        template_id=version.template_id if version else None,
        shown=_newest_name(encounter),
        department_id=places.departments.get((hospital, folded.department or "")),
        physician_id=places.physicians.get((hospital, folded.physician or "")),
    )
    details = {name: value for each in reversed(one) for name, value in each["details"].items()}
    return columns | {"details": details, "announced": announced}, told


def _absorbed(known: Known, into: UUID) -> dict[str, Any]:
    """The row of a journey that is another one's; if it ever is one again, its announcements count on."""
    counted = {name: each for name, each in known.columns["announced"].items() if name == "number"}
    return {**known.columns, "merged_into": into, "announced": counted}


def _joined(announced: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was announced of journeys that are one: nothing of it is announced again."""
    said = [each for each in announced if each]
    if not said:
        return {}
    stages = {name: count for each in reversed(said) for name, count in each.get("stages", {}).items()}
    return {**said[0], "number": max(each["number"] for each in said), "stages": stages}


def _version(folded: Folded, versions: Mapping[JourneyType, Version]) -> Version | None:
    """The version of the newest of its types that has one."""
    return next((versions[each] for each in reversed(folded.types) if each in versions), None)


def _newest_name(encounter: Encounter) -> str:
    """What the encounter is called since the newest event that gave it another name."""
    renamed = [each for each in encounter.evidence if each.previous and each.previous.encounter_id]
    newest = max(renamed, key=lambda each: each.place_in_time, default=None)
    return (newest and newest.encounter_id) or encounter.key.encounter_id


def _stages(
    journey: UUID, hospital: UUID, folded: Folded, before: Known | None, places: Places
) -> tuple[list[Mapping[str, Any]], list[UUID]]:
    """The stages that change, and the ids of those that are none any more."""
    known = before.stages if before else {}
    changed: list[Mapping[str, Any]] = []
    for each in folded.stages:
        columns = stage_columns(
            journey,
            hospital,
            each,
            department_id=places.departments.get((hospital, each.department or "")),
            physician_id=places.physicians.get((hospital, each.physician or "")),
        )
        if known.get(each.stage.id) != columns:
            changed.append(columns)
    gone = known.keys() - {each.stage.id for each in folded.stages}
    return changed, [stage_id(journey, each) for each in sorted(gone)]
