"""The cases of a journey, as the plan's table has them: its beginning, type, place, patient and death."""

from datetime import timedelta, timezone
from typing import Any

import pytest

from dhos_connector_api.px.journeys.evidence import History
from dhos_connector_api.px.journeys.fold import fold
from dhos_connector_api.px.journeys.folded import Did, Ending, JourneyStatus
from dhos_connector_api.px.journeys.template import JourneyType
from tests.builders.journeys import (
    OTHER_PATIENT,
    PATIENT,
    a_fold,
    a_move,
    a_version,
    at,
    did_by,
    done,
    previous_patient,
    silence,
    stages_of,
    told,
)

ACTIVE, COMPLETED = JourneyStatus.ACTIVE, JourneyStatus.COMPLETED
STAGES: dict[str, Any] = {"DOCTOR": "DOCTOR_DONE", "LAB": "LAB_DONE"}
EMS, INPATIENT, OPD = JourneyType.EMS, JourneyType.INPATIENT, JourneyType.OPD
BOTH = {
    EMS: a_version({"TRIAGE": "TRIAGE_DONE"}, EMS),
    INPATIENT: a_version({"WARD": "WARD_DONE", "ROUND": "ROUND_DONE"}, INPATIENT),
}


# no journey yet


@pytest.mark.parametrize("code", ["ADT_A01", "ADT_A04", "HIS_ADMITTED", "VISIT_STARTED", "visit_started "])
def test_an_opening_opens(code: str) -> None:
    opening = told(code, 5)
    found = a_fold([opening, told("DOCTOR_DONE", 10)], STAGES)
    assert (found.status, found.started_at, found.ended_at) == (ACTIVE, at(5), None)
    assert did_by(found, opening) == [Did.OPENED]


@pytest.mark.parametrize("code", ["ADT_A05", "ADT_A08", "ADT_A03", "DOCTOR_DONE", "ADT_A11", "ADT_A13"])
def test_without_an_opening_there_is_no_journey(code: str) -> None:
    assert fold({OPD: a_version(STAGES)}, History((told(code, 5),))) is None
    assert fold({}, History(())) is None


def test_what_happened_before_the_opening_counts_for_stages_and_not_for_its_end() -> None:
    found = a_fold(
        [told("DOCTOR_DONE", 0), told("ADT_A03", 1), told("ADT_A11", 2), told("ADT_A01", 5)], STAGES
    )
    assert (found.status, found.started_at) == (ACTIVE, at(5))
    assert stages_of(found)["DOCTOR"].completed_at == at(0)


def test_a_visit_told_as_one_instant_begins_before_it_ends() -> None:
    ended, opened = told("HIS_DISCHARGED", 5), told("HIS_ADMITTED", 5)
    assert ended.place_in_time < opened.place_in_time
    found = a_fold([ended, opened], STAGES)
    assert (found.status, found.ending) == (COMPLETED, Ending.DISCHARGED)


def test_a_manual_journey_is_opened_by_a_person() -> None:
    found = a_fold([done("JOURNEY_OPENED", 0, patient_id=PATIENT)], STAGES)
    assert (found.status, found.patient_id) == (ACTIVE, PATIENT)


# type


@pytest.mark.parametrize("journey_type", list(JourneyType))
def test_the_opening_tells_the_type(journey_type: JourneyType) -> None:
    found = a_fold([told("ADT_A01", 0, journey_type=str(journey_type))], STAGES)
    assert (found.types, found.assumed) == ((journey_type,), False)


def test_where_nothing_tells_the_type_it_is_taken_for_an_outpatients() -> None:
    found = a_fold([told("ADT_A01", 0), told("ADT_A08", 1, journey_type="unheard of")], STAGES)
    assert (found.journey_type, found.assumed, found.missing) == (OPD, True, ())


def test_where_no_opening_tells_the_type_the_earliest_other_does() -> None:
    first = told("ADT_A08", 1, journey_type="inpatient")
    found = a_fold([told("ADT_A01", 0), told("ADT_A08", 2, journey_type="ems"), first], templates=BOTH)
    assert (found.types, found.assumed) == ((INPATIENT,), False)
    assert did_by(found, first) == [Did.CHANGED_TYPE]


def test_no_update_changes_the_type() -> None:
    update = told("ADT_A08", 2, journey_type="inpatient")
    found = a_fold([told("ADT_A01", 0, journey_type="ems"), update], templates=BOTH)
    assert (found.types, did_by(found, update)) == ((EMS,), [Did.NOTHING])


def test_a_type_without_a_version_is_missing() -> None:
    found = a_fold([told("ADT_A01", 0, journey_type="ems")], templates={})
    assert (found.missing, found.stages) == ((EMS,), ())


# E becomes I (A06)


@pytest.mark.parametrize("code", ["ADT_A06", "ADT_A07", "ADT_A01"])
def test_another_type_adds_the_other_templates_stages(code: str) -> None:
    change = told(code, 20, journey_type="inpatient")
    triage = told("TRIAGE_DONE", 10)
    found = a_fold([told("ADT_A04", 0, journey_type="ems"), triage, change], templates=BOTH)
    assert (found.types, found.journey_type) == ((EMS, INPATIENT), INPATIENT)
    assert list(stages_of(found)) == ["TRIAGE", "WARD", "ROUND"]
    assert found.status is ACTIVE, "the stages of the ward are still to come"
    assert Did.CHANGED_TYPE in did_by(found, change)


def test_a_type_it_had_before_becomes_the_last_again() -> None:
    found = a_fold(
        [
            told("ADT_A04", 0, journey_type="ems"),
            told("ADT_A06", 1, journey_type="inpatient"),
            told("ADT_A07", 2, journey_type="ems"),
            told("ADT_A07", 3, journey_type="ems"),
        ],
        templates=BOTH,
    )
    assert found.types == (INPATIENT, EMS)
    assert [each.did for each in found.effects].count(Did.CHANGED_TYPE) == 2


def test_a_stage_of_both_templates_is_there_once() -> None:
    both = {kind: a_version({"DOCTOR": "DOCTOR_DONE"}, kind) for kind in (EMS, INPATIENT)}
    found = a_fold(
        [told("ADT_A04", 0, journey_type="ems"), told("ADT_A06", 1, journey_type="inpatient")], templates=both
    )
    assert len(found.stages) == 1


# older facts after newer


def test_of_places_physicians_and_deaths_the_newest_told_counts() -> None:
    newest = told("ADT_A08", 30, department="W2", physician="D2", deceased=False)
    older = told("ADT_A08", 20, department="W1", physician="D1", deceased=True)
    found = a_fold([told("ADT_A01", 0), newest, older, told("ADT_A08", 40)], STAGES)
    assert (found.department, found.physician, found.deceased, found.last_at) == ("W2", "D2", False, at(40))


# A02 A12


@pytest.mark.parametrize("code", ["ADT_A02", "ADT_A12", "ADT_A08"])
def test_a_location_is_told_and_stays_whatever_comes_late(code: str) -> None:
    moved = told(code, 20, department="W2")
    late = told("ADT_A02", 10, department="W3")
    found = a_fold([told("ADT_A01", 0, department="W1"), moved, late], STAGES)
    assert (found.department, did_by(found, moved)) == ("W2", [Did.MOVED_PLACE])


# death


def test_a_death_is_known_until_it_is_taken_back() -> None:
    pieces = [told("ADT_A01", 0), told("ADT_A03", 10, deceased=True), told("ADT_A08", 11)]
    assert a_fold(pieces, STAGES).deceased
    assert not a_fold([*pieces, told("ADT_A08", 12, deceased=False)], STAGES).deceased


# A43 A44 A45, and whose it is


@pytest.mark.parametrize("code", ["ADT_A43", "ADT_A44", "ADT_A45"])
@pytest.mark.parametrize("source", ["his", "hl7"])
def test_a_move_of_its_own_changes_the_patient(code: str, source: str) -> None:
    fields = {"patient_id": OTHER_PATIENT, "previous": previous_patient(), "source": source}
    move = told(code, 10, **fields)
    found = a_fold([told("ADT_A01", 0), move], STAGES)
    assert (found.patient_id, did_by(found, move)) == (OTHER_PATIENT, [Did.MOVED_PATIENT])


def test_a_move_of_all_that_was_the_patients_counts_from_then_on() -> None:
    move, of_another = a_move(10), a_move(11, prior=PATIENT)
    found = a_fold([told("ADT_A01", 0)], STAGES, moves=[of_another, move, move])
    assert found.patient_id == OTHER_PATIENT
    assert (did_by(found, move), did_by(found, of_another)) == ([Did.MOVED_PATIENT], [Did.NOTHING])
    assert a_fold([told("ADT_A01", 20)], STAGES, moves=[move]).patient_id == PATIENT


def test_one_stay_told_with_two_spellings_of_its_facility_keeps_its_patient() -> None:
    other = {"facility": "royal hospital", "patient_id": OTHER_PATIENT}
    pieces = [told("ADT_A01", 0), told("ADT_A08", 5, **other), told("ADT_A08", 6, source="hl7", **other)]
    assert a_fold(pieces, STAGES).patient_id == PATIENT


def test_the_patient_is_the_newest_that_its_anchor_tells() -> None:
    nowhere = told("ADT_A01", 0, facility="", patient_id=OTHER_PATIENT, source="x")
    assert a_fold([nowhere], STAGES).patient_id == OTHER_PATIENT
    third = told("ADT_A08", 6, patient_id=None)
    assert a_fold([nowhere, told("ADT_A08", 5), third], STAGES).patient_id == PATIENT
    assert a_fold([told("ADT_A01", 0, patient_id=None)], STAGES).patient_id is None


# times


def test_times_of_other_zones_are_the_same_times() -> None:
    there = timezone(timedelta(hours=3))
    early = told("DOCTOR_DONE", 0, occurred_at=at(10).astimezone(there))
    found = a_fold([told("ADT_A01", 0), told("DOCTOR_DONE", 11), early], STAGES)
    assert stages_of(found)["DOCTOR"].event_uuid == early.event_uuid


def test_what_the_site_says_of_a_source_counts_where_no_event_tells_the_type() -> None:
    opening = told("ADT_A01", 0, source="hl7v2", journey_type="inpatient")
    later = told("HIS_ADMITTED", 1, default_type="opd")
    found = a_fold([opening, later, silence(3000)], {})
    assert (found.types, found.status) == ((JourneyType.INPATIENT,), JourneyStatus.ACTIVE)
    alone = a_fold([later], {})
    assert (alone.types, alone.assumed) == ((JourneyType.OPD,), False)
