"""What is announced of a journey: each thing once, and what was taken back."""

import json
from typing import Any

import pytest

from dhos_connector_api.px.journeys.announcing import AnnouncementKind as Kind
from dhos_connector_api.px.journeys.announcing import announcements
from dhos_connector_api.px.journeys.evidence import Evidence
from dhos_connector_api.px.journeys.folded import Folded
from dhos_connector_api.px.journeys.template import JourneyType
from tests.builders.journeys import (
    OTHER_PATIENT,
    PATIENT,
    a_fold,
    a_move,
    a_version,
    at,
    done,
    stage_id,
    told,
)

STAGES = {"DOCTOR": "DOCTOR_DONE", "LAB": "LAB_DONE"}
OPENED, DOCTOR, LAB = told("ADT_A01", 0), told("DOCTOR_DONE", 10), told("LAB_DONE", 20)
DISCHARGED, UNDONE = told("ADT_A03", 30), told("ADT_A13", 40)
CANCELLED, AGAIN = told("ADT_A11", 50), told("ADT_A01", 60)


def after(*folds: Folded) -> list[list[tuple[Kind, str | None]]]:
    """What each of these announces, one after the other, with the code of its stage."""
    known: dict[str, Any] = {}
    found = []
    number = 0
    for each in folds:
        made, known = announcements(known, each)
        assert announcements(known, each) == ([], known), "once"
        assert json.loads(json.dumps(known)) == known, "JSON"
        assert [one.number for one in made] == list(range(number + 1, number + 1 + len(made)))
        number += len(made)
        found.append([(one.kind, one.stage.stage.code if one.stage else None) for one in made])
    return found


def of(*evidence: Evidence) -> Folded:
    return a_fold(evidence, STAGES)


def test_a_stage_is_announced_when_it_is_complete() -> None:
    assert after(of(OPENED), of(OPENED, DOCTOR)) == [[], [(Kind.STAGE_COMPLETED, "DOCTOR")]]


def test_a_journey_that_is_closed_announces_its_stages_before_its_end() -> None:
    [found] = after(of(OPENED, DOCTOR, DISCHARGED))
    assert found == [(Kind.STAGE_COMPLETED, "DOCTOR"), (Kind.JOURNEY_CLOSED, None)]


def test_a_late_stage_is_announced_as_late() -> None:
    _, known = announcements({}, of(OPENED, DISCHARGED))
    [late], _ = announcements(known, of(OPENED, DISCHARGED, told("LAB_DONE", 35)))
    assert late.kind is Kind.STAGE_COMPLETED
    assert late.stage is not None
    assert late.stage.is_late


def test_a_discharge_taken_back_reopens() -> None:
    closed = of(OPENED, DOCTOR, DISCHARGED)
    assert after(closed, of(OPENED, DOCTOR, DISCHARGED, UNDONE))[1] == [(Kind.JOURNEY_REOPENED, None)]


def test_a_cancellation_is_announced_alone_and_what_opens_again_announces_all_anew() -> None:
    evidence = [OPENED, DOCTOR, DISCHARGED]
    *_, cancelled, active = after(of(*evidence), of(*evidence, CANCELLED), of(*evidence, CANCELLED, AGAIN))
    assert cancelled == [(Kind.JOURNEY_CANCELLED, None)]
    assert active == [(Kind.JOURNEY_REOPENED, None), (Kind.STAGE_COMPLETED, "DOCTOR")]


def test_from_cancelled_to_completed_is_reopened_and_closed() -> None:
    evidence = [OPENED, CANCELLED]
    found = after(of(*evidence), of(*evidence, AGAIN, told("ADT_A03", 70)))
    assert found == [
        [(Kind.JOURNEY_CANCELLED, None)],
        [(Kind.JOURNEY_REOPENED, None), (Kind.JOURNEY_CLOSED, None)],
    ]


def test_a_completion_taken_back_is_announced() -> None:
    taken_back = of(OPENED, DOCTOR, done("STAGE_REOPENED", 15, "DOCTOR"))
    assert after(of(OPENED, DOCTOR), taken_back)[1] == [(Kind.STAGE_REOPENED, "DOCTOR")]


def test_a_completion_taken_back_and_made_anew_between_two_folds_is_both() -> None:
    anew = of(OPENED, DOCTOR, done("STAGE_REOPENED", 15, "DOCTOR"), told("DOCTOR_DONE", 16))
    found = after(of(OPENED, DOCTOR), anew)[1]
    assert found == [(Kind.STAGE_REOPENED, "DOCTOR"), (Kind.STAGE_COMPLETED, "DOCTOR")]


def test_a_stage_that_a_corrected_type_took_away_is_named_by_its_id() -> None:
    templates = {
        JourneyType.OPD: a_version(STAGES),
        JourneyType.INPATIENT: a_version({"WARD": "WARD_DONE"}, JourneyType.INPATIENT),
    }
    opening: dict[str, Any] = {"event_uuid": OPENED.event_uuid}
    _, known = announcements(
        {}, a_fold([told("ADT_A01", 0, journey_type="opd", **opening), DOCTOR], templates=templates)
    )
    corrected = a_fold([told("ADT_A01", 0, journey_type="inpatient", **opening), DOCTOR], templates=templates)
    [gone], after_it = announcements(known, corrected)
    assert (gone.kind, gone.stage, gone.stage_id) == (Kind.STAGE_REOPENED, None, stage_id("DOCTOR"))
    assert announcements(after_it, corrected) == ([], after_it)


def test_another_patient_is_announced_and_the_first_is_not() -> None:
    moved = a_fold([OPENED], STAGES, moves=[a_move(5)])
    assert after(of(OPENED), moved) == [[], [(Kind.JOURNEY_MOVED, None)]]


@pytest.mark.parametrize(("first", "then"), [(None, PATIENT), (PATIENT, OTHER_PATIENT)])
def test_a_patient_who_is_told_only_later_is_another(first: Any, then: Any) -> None:
    opened = told("ADT_A01", 0, patient_id=first)
    assert after(of(opened), of(opened, told("ADT_A08", 5, patient_id=then)))[1] == [
        (Kind.JOURNEY_MOVED, None)
    ]


def test_whose_it_became_while_cancelled_is_announced_when_it_opens_again() -> None:
    cancelled = [OPENED, CANCELLED]
    *_, silent, again = after(
        of(OPENED),
        of(*cancelled),
        a_fold(cancelled, STAGES, moves=[a_move(55)]),
        a_fold([*cancelled, told("ADT_A04", 60, patient_id=None)], STAGES, moves=[a_move(55)]),
    )
    assert silent == []
    assert again == [(Kind.JOURNEY_REOPENED, None), (Kind.JOURNEY_MOVED, None)]


def test_the_id_of_an_announcement_follows_from_its_journey_and_number() -> None:
    [one], _ = announcements({}, of(OPENED, DOCTOR))
    [same], _ = announcements({}, of(OPENED, DOCTOR))
    assert one.id_in(PATIENT) == same.id_in(PATIENT) != one.id_in(OTHER_PATIENT)


def test_a_completion_told_before_its_end_but_after_it_came_keeps_its_time() -> None:
    found = of(OPENED, DISCHARGED, told("LAB_DONE", 20, received_at=at(300)))
    [lab] = [each for each in found.stages if each.stage.code == "LAB"]
    assert (lab.is_late, lab.completed_at) == (True, at(20))
