"""The cases of a journey's end, as the plan's table has them: discharges, silence, cancellations."""

from typing import Any
from uuid import UUID, uuid5

import pytest

from dhos_connector_api.px.journeys.folded import Did, Ending, JourneyStatus, StageStatus
from dhos_connector_api.px.journeys.template import JourneyType
from tests.builders.journeys import (
    a_fold,
    at,
    did_by,
    done,
    silence,
    stages_of,
    statuses_of,
    told,
)

ACTIVE, COMPLETED, CANCELLED = JourneyStatus.ACTIVE, JourneyStatus.COMPLETED, JourneyStatus.CANCELLED
STAGES: dict[str, Any] = {"DOCTOR": "DOCTOR_DONE", "LAB": "LAB_DONE"}
EMS, INPATIENT, OPD = JourneyType.EMS, JourneyType.INPATIENT, JourneyType.OPD


# discharge


@pytest.mark.parametrize("code", ["ADT_A03", "HIS_DISCHARGED", "patient_discharged"])
def test_a_discharge_closes_and_skips_what_is_unmet(code: str) -> None:
    found = a_fold([told("ADT_A01", 0), told("DOCTOR_DONE", 1), told(code, 10)], STAGES)
    assert (found.status, found.ending, found.ended_at) == (COMPLETED, Ending.DISCHARGED, at(10))
    assert statuses_of(found) == {"DOCTOR": StageStatus.COMPLETED, "LAB": StageStatus.SKIPPED}


def test_of_two_discharges_the_earliest_counts() -> None:
    second = told("HIS_DISCHARGED", 20)
    found = a_fold([told("ADT_A01", 0), second, told("ADT_A03", 10)], STAGES)
    assert (found.ended_at, did_by(found, second)) == (at(10), [Did.REPEATED])


def test_a_discharge_before_the_beginning_ends_when_it_was_told() -> None:
    found = a_fold([told("ADT_A01", 5), told("ADT_A03", 10, discharged_at=at(1))], STAGES)
    assert found.ended_at == at(10)


def test_all_stages_complete_closes() -> None:
    last = told("LAB_DONE", 20)
    found = a_fold([told("ADT_A01", 0), last, told("DOCTOR_DONE", 10)], STAGES)
    assert (found.status, found.ending) == (COMPLETED, Ending.ALL_STAGES)
    assert (found.ended_at, found.ended_by) == (at(20), last.event_uuid)
    assert did_by(found, last) == [Did.COMPLETED_STAGE, Did.CLOSED]
    assert not any(each.is_late for each in found.stages)


def test_optional_stages_are_not_waited_for_unless_all_are_optional() -> None:
    optional: dict[str, Any] = {"trigger": "LAB_DONE", "is_optional": True}
    pieces = [told("ADT_A01", 0), told("DOCTOR_DONE", 10)]
    found = a_fold(pieces, {"DOCTOR": "DOCTOR_DONE", "LAB": optional})
    assert (found.ending, statuses_of(found)["LAB"]) == (Ending.ALL_STAGES, StageStatus.SKIPPED)
    all_optional: dict[str, Any] = {
        "DOCTOR": {"trigger": "DOCTOR_DONE", "is_optional": True},
        "LAB": optional,
    }
    assert a_fold(pieces, all_optional).status is ACTIVE
    assert a_fold([*pieces, told("LAB_DONE", 11)], all_optional).ending is Ending.ALL_STAGES


def test_a_journey_without_stages_does_not_close_by_them() -> None:
    assert a_fold([told("ADT_A01", 0), told("DOCTOR_DONE", 10)], {}).status is ACTIVE


# never discharged


@pytest.mark.parametrize("code", ["VISIT_COMPLETED", "OPD_VISIT_COMPLETED"])
def test_an_outpatients_visit_ends_and_an_inpatients_does_not(code: str) -> None:
    for kind, status in ((OPD, COMPLETED), (INPATIENT, ACTIVE), (EMS, ACTIVE)):
        found = a_fold([told("ADT_A04", 0, journey_type=str(kind)), told(code, 10)], STAGES, kind)
        assert found.status is status
        assert found.ending is (Ending.VISIT_COMPLETED if status is COMPLETED else None)


def test_the_end_of_a_visit_that_is_a_stage_with_another_to_come_closes_nothing() -> None:
    stages: dict[str, Any] = {"DOCTOR": "OPD_VISIT_COMPLETED", "LAB": "LAB_DONE"}
    pieces = [told("ADT_A04", 0), told("OPD_VISIT_COMPLETED", 10)]
    assert a_fold(pieces, stages).status is ACTIVE
    assert a_fold([*pieces, told("LAB_DONE", 20)], stages).ending is Ending.ALL_STAGES
    only_optional: dict[str, Any] = {**stages, "LAB": {"trigger": "LAB_DONE", "is_optional": True}}
    assert a_fold(pieces, only_optional).ending is Ending.VISIT_COMPLETED
    before: dict[str, Any] = {"LAB": "LAB_DONE", "DOCTOR": "OPD_VISIT_COMPLETED"}
    assert a_fold(pieces, before).ending is Ending.VISIT_COMPLETED


def test_silence_for_a_day_closes_an_outpatients() -> None:
    day = 24 * 60
    clock = silence(10 + day)
    found = a_fold([told("ADT_A04", 0), told("ADT_A08", 10), clock], STAGES)
    assert (found.status, found.ending, found.ended_at) == (COMPLETED, Ending.SILENT, at(10 + day))
    assert found.last_at == at(10)
    found = a_fold([told("ADT_A01", 0, journey_type="inpatient"), clock], STAGES, INPATIENT)
    assert (found.status, did_by(found, clock)) == (ACTIVE, [Did.NOTHING])


@pytest.mark.parametrize(
    "act", [told("ADT_A08", 11), done("STAGE_SKIPPED", 11, "LAB"), told("X", 24 * 60 + 10)]
)
def test_silence_is_taken_back_by_what_comes_to_light(act: Any) -> None:
    clock = silence(10 + 24 * 60)
    found = a_fold([told("ADT_A04", 0), told("ADT_A08", 10), clock, act], STAGES)
    assert (found.status, did_by(found, clock)) == (ACTIVE, [Did.NOTHING])


def test_silence_stands_though_something_happened_after_it() -> None:
    found = a_fold([told("ADT_A04", 0), silence(24 * 60), told("LAB_DONE", 24 * 60 + 1)], STAGES)
    assert (found.ending, stages_of(found)["LAB"].is_late) == (Ending.SILENT, True)


# A11 A23 A27 A38


@pytest.mark.parametrize("code", ["ADT_A11", "ADT_A23", "ADT_A27", "ADT_A38"])
@pytest.mark.parametrize("is_discharged", [False, True])
def test_a_cancellation_cancels_all(code: str, *, is_discharged: bool) -> None:
    pieces = [told("ADT_A01", 0), told("DOCTOR_DONE", 1), *([told("ADT_A03", 2)] if is_discharged else [])]
    found = a_fold([*pieces, told(code, 10), told("ADT_A03", 11)], STAGES)
    assert (found.status, found.ending, found.ended_at) == (CANCELLED, Ending.CANCELLED, at(10))
    assert set(statuses_of(found).values()) == {StageStatus.CANCELLED}
    assert not any(each.completed_at or each.event_uuid for each in found.stages)


def test_a_person_may_cancel_and_a_feed_may_not_in_his_name() -> None:
    assert a_fold([told("ADT_A01", 0), done("JOURNEY_CANCELLED", 1)], STAGES).status is CANCELLED
    for code in ("JOURNEY_CANCELLED", "JOURNEY_CLOSED", "JOURNEY_SILENT", "STAGE_COMPLETED"):
        piece = told(code, 24 * 60 + 1)
        assert did_by(a_fold([told("ADT_A01", 0), piece], STAGES), piece) == [Did.NOTHING]


def test_an_opening_after_a_cancellation_opens_it_again_with_its_stages() -> None:
    again = told("ADT_A01", 20)
    found = a_fold([told("ADT_A01", 0), told("DOCTOR_DONE", 1), told("ADT_A11", 10), again], STAGES)
    assert (found.status, found.started_at, found.ended_at, found.ending) == (ACTIVE, at(0), None, None)
    assert did_by(found, again) == [Did.OPENED_AGAIN]
    assert stages_of(found)["DOCTOR"].completed_at == at(1)


# A13


def test_a_discharge_taken_back_reopens_and_may_be_told_anew() -> None:
    pieces = [told("ADT_A01", 0), told("ADT_A03", 10), told("ADT_A13", 20)]
    found = a_fold(pieces, STAGES)
    assert (found.status, found.ended_at, found.ending, found.ended_by) == (ACTIVE, None, None, None)
    assert set(statuses_of(found).values()) == {StageStatus.PENDING}
    assert a_fold([*pieces, told("ADT_A03", 30)], STAGES).ended_at == at(30)


def test_a13_brings_no_cancelled_journey_back() -> None:
    assert a_fold([told("ADT_A01", 0), told("ADT_A11", 1), told("ADT_A13", 2)], STAGES).status is CANCELLED


def test_after_a13_only_a_stage_that_is_completed_anew_closes() -> None:
    stages: dict[str, Any] = {"DOCTOR": "DOCTOR_DONE", "LAB": {"trigger": "LAB_DONE", "is_optional": True}}
    pieces = [told("ADT_A01", 0), told("DOCTOR_DONE", 10), told("ADT_A13", 20)]
    repeated = [told("DOCTOR_DONE", 30), told("LAB_DONE", 31), told("ADT_A08", 32)]
    assert a_fold([*pieces, *repeated], stages).status is ACTIVE
    anew = [*pieces, done("STAGE_REOPENED", 33, "DOCTOR"), told("DOCTOR_DONE", 34)]
    assert a_fold(anew, stages).ended_at == at(34)


# A21 A22


@pytest.mark.parametrize("code", ["ADT_A21", "ADT_A22"])
def test_a_leave_is_no_discharge(code: str) -> None:
    leave = told(code, 10)
    found = a_fold([told("ADT_A01", 0), leave], STAGES)
    assert (found.status, did_by(found, leave)) == (ACTIVE, [Did.NOTHING])


# what the feeds get wrong


def test_all_stages_told_before_the_opening_close_with_it() -> None:
    opening = told("ADT_A04", 60, received_at=at(60))
    found = a_fold([told("DOCTOR_DONE", 10), told("LAB_DONE", 20), opening], STAGES)
    assert (found.status, found.ending, found.ended_at) == (COMPLETED, Ending.ALL_STAGES, at(60))
    assert did_by(found, opening) == [Did.OPENED, Did.CLOSED]
    assert not any(each.is_late for each in found.stages)


def test_a_template_without_stages_waits_for_a_discharge() -> None:
    assert a_fold([told("ADT_A04", 0)], {}).status is ACTIVE


def test_the_stage_that_is_told_last_is_not_late_because_it_happened_earlier() -> None:
    pieces = [told("ADT_A04", 0), told("DOCTOR_DONE", 20), told("LAB_DONE", 10, received_at=at(90))]
    found = a_fold(pieces, STAGES)
    assert (found.ending, found.ended_at) == (Ending.ALL_STAGES, at(20))
    assert not any(each.is_late for each in found.stages)


@pytest.mark.parametrize("end", [silence(2000), told("VISIT_COMPLETED", 100)])
def test_an_outpatient_who_is_admitted_after_all_has_not_gone(end: Any) -> None:
    pieces = [told("ADT_A04", 0, journey_type="opd"), end]
    admitted = told("ADT_A06", 2500, journey_type="inpatient")
    found = a_fold([*pieces, admitted], STAGES)
    assert (found.status, found.ending) == (ACTIVE, None)
    assert Did.OPENED_AGAIN in did_by(found, admitted)
    gone = a_fold([*pieces, admitted, told("ADT_A03", 3000)], STAGES)
    assert (gone.ending, gone.ended_at) == (Ending.DISCHARGED, at(3000))


def test_of_two_events_of_one_minute_the_one_that_was_told_first_came_first() -> None:
    for number in range(20):  # whatever their ids
        discharge = told("ADT_A03", 10, received_at=at(11), event_uuid=uuid5(UUID(int=1), str(number)))
        back = told("ADT_A13", 10, received_at=at(12), event_uuid=uuid5(UUID(int=2), str(number)))
        assert a_fold([told("ADT_A01", 0), back, discharge], STAGES).status is ACTIVE
