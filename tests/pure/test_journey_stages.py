"""The cases of a journey's stages, as the plan's table has them: late, repeated, by hand."""

from typing import Any

import pytest

from dhos_connector_api.px.journeys.folded import Did, Ending, JourneyStatus, StageStatus
from tests.builders.journeys import (
    a_fold,
    at,
    did_by,
    done,
    effects_of,
    silence,
    stages_of,
    statuses_of,
    told,
)

COMPLETED = JourneyStatus.COMPLETED
STAGES: dict[str, Any] = {"DOCTOR": "DOCTOR_DONE", "LAB": "LAB_DONE"}


# late, after close


def test_what_happened_after_the_end_completes_the_stage_late() -> None:
    found = a_fold([told("ADT_A01", 0), told("ADT_A03", 10), told("DOCTOR_DONE", 11)], STAGES)
    doctor = stages_of(found)["DOCTOR"]
    assert (doctor.status, doctor.completed_at, doctor.is_late) == (StageStatus.COMPLETED, at(11), True)
    assert (found.ended_at, found.ending) == (at(10), Ending.DISCHARGED)


def test_what_happened_before_the_end_and_was_told_after_it_is_late() -> None:
    found = a_fold(
        [
            told("ADT_A01", 0),
            told("ADT_A03", 10),
            told("DOCTOR_DONE", 5, received_at=at(10)),
            told("LAB_DONE", 5, received_at=at(10.1)),
        ],
        {**STAGES, "PHARMACY": "PHARMACY_DONE"},
    )
    assert {code: each.is_late for code, each in stages_of(found).items()} == {
        "DOCTOR": False,
        "LAB": True,
        "PHARMACY": False,
    }


def test_the_last_stage_told_after_the_discharge_ends_the_journey_earlier_and_is_late() -> None:
    pieces = [told("ADT_A01", 0), told("DOCTOR_DONE", 5), told("ADT_A03", 10)]
    found = a_fold([*pieces, told("LAB_DONE", 6, received_at=at(30))], STAGES)
    assert (found.ending, found.ended_at) == (Ending.ALL_STAGES, at(6))
    assert {code: each.is_late for code, each in stages_of(found).items()} == {"DOCTOR": False, "LAB": True}


def test_the_discharge_itself_is_not_late_though_it_happened_before_it_was_told() -> None:
    discharge = told("ADT_A03", 20, discharged_at=at(10))
    found = a_fold([told("ADT_A01", 0), discharge], {**STAGES, "HOME": "A03"})
    assert (found.ended_at, stages_of(found)["HOME"].is_late) == (at(10), False)


def test_what_is_late_is_so_no_more_when_the_end_is_taken_back() -> None:
    pieces = [told("ADT_A01", 0), told("ADT_A03", 10), told("DOCTOR_DONE", 11), told("ADT_A13", 12)]
    assert not stages_of(a_fold(pieces, STAGES))["DOCTOR"].is_late


# repeated


def test_of_repeated_evidence_the_earliest_counts() -> None:
    later, earlier = told("DOCTOR_DONE", 20), told("DOCTOR_DONE", 10)
    found = a_fold([told("ADT_A01", 0), later, earlier], STAGES)
    doctor = stages_of(found)["DOCTOR"]
    assert (doctor.completed_at, doctor.event_uuid) == (at(10), earlier.event_uuid)
    assert did_by(found, later) == [Did.REPEATED]


def test_an_opening_of_what_is_open_or_over_is_repeated() -> None:
    second, third = told("ADT_A01", 1), told("ADT_A04", 11)
    found = a_fold([told("ADT_A01", 0), second, told("ADT_A03", 10), third], STAGES)
    assert (did_by(found, second), did_by(found, third)) == ([Did.REPEATED], [Did.REPEATED])
    assert (found.status, found.started_at) == (COMPLETED, at(0))


def test_of_one_event_told_twice_the_greater_generation_counts() -> None:
    old = told("ELSE", 10)
    new = told("DOCTOR_DONE", 10, event_uuid=old.event_uuid, generation=1)
    for pieces in ([old, new], [new, old], [new, old, new]):
        found = a_fold([told("ADT_A01", 0), *pieces], STAGES)
        assert stages_of(found)["DOCTOR"].status is StageStatus.COMPLETED
        assert len(effects_of(found, new)) == 1


# the physician and the place


def test_a_stage_has_the_physician_and_place_of_its_time() -> None:
    found = a_fold(
        [
            told("ADT_A01", 0, department="W1", physician="D1"),
            told("DOCTOR_DONE", 10),
            told("ADT_A02", 20, department="W2"),
            told("LAB_DONE", 30, physician="D3"),
        ],
        STAGES,
    )
    doctor, lab = stages_of(found).values()
    assert (doctor.physician, doctor.department) == ("D1", "W1")
    assert (lab.physician, lab.department) == ("D3", "W2")


def test_what_is_told_in_the_same_instant_is_known_whatever_its_id() -> None:
    found = a_fold([told("ADT_A01", 0), told("DOCTOR_DONE", 10), told("ADT_A08", 10, physician="D1")], STAGES)
    assert stages_of(found)["DOCTOR"].physician == "D1"


@pytest.mark.parametrize("field", ["physician", "department"])
def test_a_stage_that_needs_more_than_its_event_waits_for_it(field: str) -> None:
    stages: dict[str, Any] = {
        "DOCTOR": {"trigger": "DOCTOR_DONE", f"requires_{field}": True},
        "LAB": "LAB_DONE",
    }
    pieces = [told("ADT_A01", 0), told("DOCTOR_DONE", 10)]
    found = a_fold(pieces, stages)
    doctor = stages_of(found)["DOCTOR"]
    assert (doctor.status, doctor.completed_at, doctor.event_uuid) == (StageStatus.IN_PROGRESS, None, None)
    assert did_by(found, pieces[1]) == [Did.STARTED_STAGE]
    telling = told("ADT_A08", 20, **{field: "X"})
    found = a_fold([*pieces, telling], stages)
    doctor = stages_of(found)["DOCTOR"]
    assert (doctor.completed_at, doctor.event_uuid) == (at(10), pieces[1].event_uuid)
    assert getattr(doctor, field) == "X"
    assert Did.COMPLETED_STAGE in did_by(found, telling)


def test_both_that_a_stage_needs_may_come_one_after_the_other() -> None:
    stages: dict[str, Any] = {
        "DOCTOR": {"trigger": "DOCTOR_DONE", "requires_physician": True, "requires_department": True}
    }
    pieces = [told("ADT_A01", 0), told("DOCTOR_DONE", 1), told("ADT_A08", 2, physician="D")]
    assert statuses_of(a_fold(pieces, stages)) == {"DOCTOR": StageStatus.IN_PROGRESS}
    found = a_fold([*pieces, told("ADT_A08", 3, department="W", physician="E")], stages)
    assert stages_of(found)["DOCTOR"].physician == "D"
    assert (found.ending, found.ended_at) == (Ending.ALL_STAGES, at(3))


# what people do


def test_a_person_completes_a_stage_whatever_it_needs() -> None:
    stages: dict[str, Any] = {
        "DOCTOR": {"trigger": "DOCTOR_DONE", "requires_physician": True},
        "LAB": "LAB_DONE",
    }
    act = done("STAGE_COMPLETED", 10, "DOCTOR")
    doctor = stages_of(a_fold([told("ADT_A01", 0), told("DOCTOR_DONE", 5), act], stages))["DOCTOR"]
    assert (doctor.status, doctor.completed_at, doctor.event_uuid) == (
        StageStatus.COMPLETED,
        at(10),
        act.event_uuid,
    )


def test_a_person_skips_a_stage_until_its_event_comes() -> None:
    pieces = [told("ADT_A01", 0), done("STAGE_SKIPPED", 10, "LAB")]
    assert statuses_of(a_fold(pieces, STAGES))["LAB"] is StageStatus.SKIPPED
    assert statuses_of(a_fold([*pieces, told("LAB_DONE", 5)], STAGES))["LAB"] is StageStatus.COMPLETED
    assert statuses_of(a_fold([*pieces, told("LAB_DONE", 20)], STAGES))["LAB"] is StageStatus.COMPLETED
    closed = a_fold([*pieces, told("DOCTOR_DONE", 30)], STAGES)
    assert closed.ending is Ending.ALL_STAGES, "what was skipped is not waited for"


def test_a_person_takes_a_stage_back_and_only_what_comes_after_completes_it() -> None:
    pieces = [told("ADT_A01", 0), told("DOCTOR_DONE", 10), done("STAGE_REOPENED", 20, "DOCTOR")]
    doctor = stages_of(a_fold([*pieces, told("DOCTOR_DONE", 15)], STAGES))["DOCTOR"]
    assert (doctor.status, doctor.completed_at, doctor.reopened) == (StageStatus.PENDING, None, 1)
    doctor = stages_of(a_fold([*pieces, told("DOCTOR_DONE", 25)], STAGES))["DOCTOR"]
    assert (doctor.completed_at, doctor.reopened) == (at(25), 1)


def test_a_person_closes() -> None:
    act = done("JOURNEY_CLOSED", 10)
    found = a_fold([told("ADT_A01", 0), act], STAGES)
    assert (found.status, found.ending, found.ended_by) == (COMPLETED, Ending.PERSON, act.event_uuid)


@pytest.mark.parametrize("code", ["STAGE_COMPLETED", "STAGE_SKIPPED", "STAGE_REOPENED"])
def test_an_act_on_a_stage_that_is_not_there_does_nothing(code: str) -> None:
    act = done(code, 10, "ELSEWHERE")
    assert did_by(a_fold([told("ADT_A01", 0), act], STAGES), act) == [Did.NOTHING]


def test_no_act_of_a_person_or_the_clock_is_the_event_of_a_stage() -> None:
    found = a_fold(
        [told("ADT_A04", 0), silence(10), done("NOTED", 11)], {"X": "JOURNEY_SILENT|NOTED", "Y": "Y"}
    )
    assert statuses_of(found)["X"] is StageStatus.PENDING


def test_a_stage_that_is_taken_back_opens_a_journey_that_its_stages_had_closed() -> None:
    done_twice = [told("ADT_A04", 0), told("DOCTOR_DONE", 10), done("STAGE_COMPLETED", 20, "LAB")]
    assert a_fold(done_twice, STAGES).ending is Ending.ALL_STAGES
    back = done("STAGE_REOPENED", 30, "LAB")
    found = a_fold([*done_twice, back], STAGES)
    assert (found.status, did_by(found, back)) == (
        JourneyStatus.ACTIVE,
        [Did.REOPENED_STAGE, Did.OPENED_AGAIN],
    )
    assert a_fold([*done_twice, back, told("LAB_DONE", 40)], STAGES).ended_at == at(40)
