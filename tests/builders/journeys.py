"""Builders of what a journey is folded from, in the pure world: versions, stages, evidence, moves.

    a_fold([told("ADT_A01", 0), told("LAB_DONE", 30)], {"LAB": "LAB_DONE"})

Minutes count from `BEGUN`. Every call of `told` gives another event unless `event_uuid` is given.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid5

from dhos_connector_api.px.journeys.evidence import CLOCK, PERSON, Evidence, History, Move, Previous
from dhos_connector_api.px.journeys.fold import fold
from dhos_connector_api.px.journeys.folded import Did, Effect, Folded, StageNow, StageStatus
from dhos_connector_api.px.journeys.template import JourneyType, Stage, Version

BEGUN = datetime(2026, 3, 1, 8, tzinfo=UTC)
#: Two patients; whoever needs more makes them.
PATIENT, OTHER_PATIENT = UUID(int=0xA), UUID(int=0xB)
_NAMES = UUID("7d0c8f0e-4f64-5f0b-9a53-0b4a3a1f6f10")
_number = count(1)


def at(minutes: float) -> datetime:
    """Return the time so many minutes after `BEGUN`."""
    return BEGUN + timedelta(minutes=minutes)


def stage_id(code: str) -> UUID:
    """Return the id that the stage of this code has in every version made here."""
    return uuid5(_NAMES, code)


def a_stage(code: str, trigger: str, position: int = 1, **fields: Any) -> Stage:
    """Return a stage; English and Arabic names follow from its code."""
    names = {"name": code.replace("_", " ").capitalize(), "name_ar": f"مرحلة {code}"}
    made: dict[str, Any] = {"id": stage_id(code), "code": code, "trigger": trigger, "position": position}
    return Stage(**made | names | fields)


def a_version(
    stages: Mapping[str, str | Mapping[str, Any]], journey_type: JourneyType = JourneyType.OPD, **fields: Any
) -> Version:
    """Return a version with these stages in order: triggers by code, or fields of `Stage`."""
    asked = [({"trigger": each} if isinstance(each, str) else dict(each)) for each in stages.values()]
    made = tuple(
        a_stage(code, position=position, **given)
        for position, (code, given) in enumerate(zip(stages, asked, strict=True), 1)
    )
    name = {"name": f"{journey_type} journey", "name_ar": f"رحلة {journey_type}"}
    ids = {"id": uuid5(_NAMES, f"version {journey_type}"), "template_id": uuid5(_NAMES, journey_type)}
    return Version(**ids, number=1, journey_type=journey_type, stages=made, **name | fields)  # type: ignore[arg-type]


def told(code: str, minutes: float, **fields: Any) -> Evidence:
    """Return what a source tells of `PATIENT` so many minutes after `BEGUN`; received at once."""
    number = next(_number)
    made: dict[str, Any] = {
        "event_uuid": UUID(int=number),
        "occurred_at": at(minutes),
        "received_at": at(minutes),
        "message_uuid": UUID(int=number << 64),
        "source": "his",
        "namespace": "shared",
        "facility": "rth",
        "encounter_id": "V1",
        "patient_id": PATIENT,
    }
    return Evidence(code=code, **made | fields)


def done(code: str, minutes: float, stage: str | None = None, **fields: Any) -> Evidence:
    """Return what a person does, to a stage of this code if one is named."""
    who = {"source": PERSON, "facility": "", "patient_id": None, "actor_id": UUID(int=1)}
    return told(code, minutes, **who | {"stage_id": stage_id(stage) if stage else None} | fields)


def silence(minutes: float, **fields: Any) -> Evidence:
    """Return the clock's word that nothing was told of it any more."""
    return told("JOURNEY_SILENT", minutes, **{"source": CLOCK, "facility": "", "patient_id": None} | fields)


def a_move(minutes: float, prior: UUID = PATIENT, patient: UUID = OTHER_PATIENT) -> Move:
    """Return the move of all that was `prior`'s."""
    made = UUID(int=next(_number))
    return Move(event_uuid=made, occurred_at=at(minutes), prior_id=prior, patient_id=patient)


def previous_patient(patient: UUID = PATIENT) -> Previous:
    """Return what an event that moves a visit says of before."""
    return Previous(None, None, None, patient)


def a_fold(
    evidence: Iterable[Evidence],
    stages: Mapping[str, str | Mapping[str, Any]] | None = None,
    journey_type: JourneyType = JourneyType.OPD,
    *,
    templates: Mapping[JourneyType, Version] | None = None,
    moves: Iterable[Move] = (),
) -> Folded:
    """Return the journey that there is: with templates, or one version of these stages."""
    given = templates if templates is not None else {journey_type: a_version(stages or {}, journey_type)}
    found = fold(given, History(tuple(evidence), tuple(moves)))
    assert found is not None, "no opening"
    return found


def stages_of(folded: Folded) -> dict[str, StageNow]:
    """Return the stages by code."""
    return {each.stage.code: each for each in folded.stages}


def effects_of(folded: Folded, piece: Evidence | Move) -> list[Effect]:
    """Return what a piece did."""
    return [each for each in folded.effects if each.event_uuid == piece.event_uuid]


def did_by(folded: Folded, piece: Evidence | Move) -> list[Did]:
    """Return the same in words."""
    return [each.did for each in effects_of(folded, piece)]


def statuses_of(folded: Folded) -> dict[str, StageStatus]:
    """Return the statuses of stages by code."""
    return {each.stage.code: each.status for each in folded.stages}
