"""Encounters and patients that are renamed, merged and moved, on PostgreSQL: rows of the plan's table."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import true

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.apply import Reader
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.journeys import journey_list
from dhos_connector_api.px.journeys.evidence import EncounterKey
from dhos_connector_api.px.organizations import on_event as organizations
from dhos_connector_api.px.organizations.identity import SHARED, Who, folded
from tests.builders.encounters import FACILITY, HOSPITAL, letter
from tests.rigs.applied_journeys import announced, apply, is_settled, rows, set_up, visit

_OPEN = "SELECT encounter_id FROM journey_instance WHERE merged_into IS NULL ORDER BY 1"
_PATIENTS = "SELECT encounter_id, patient_id FROM journey_instance WHERE merged_into IS NULL ORDER BY 1"


def _patient(mrn: str) -> UUID:
    return Who(SHARED, folded(FACILITY), mrn, None).id


def _journey(encounter: str) -> UUID:
    return EncounterKey(SHARED, HOSPITAL, encounter).journey_id


def _told(code: str, minutes: float, *, encounter: str | None, was: Any, mrn: str = "M1") -> Letter:
    """An event by which an encounter or patient was called `was` until then."""
    previous = {"mrn": None, "nhs_number": None, "encounter_id": None} | was
    return letter(code, minutes, encounter_id=encounter, mrn=mrn, previous=previous)


@pytest.mark.parametrize("code", ["ADT_A35", "ADT_A41", "ADT_A42", "ADT_A50"])
def test_an_encounter_that_gets_another_number_keeps_its_journey(database: Database, code: str) -> None:
    set_up(database)
    apply(database, *visit())
    apply(database, _told(code, 45, encounter="V2", was={"encounter_id": "V1"}))
    apply(database, letter("PRESCRIBED_DRUGS", 50, encounter_id="V2"))
    assert rows(database, "SELECT id, encounter_id, completed_count FROM journey_instance") == [
        (_journey("V1"), "V2", 3)
    ]
    names = rows(database, "SELECT encounter_id, journey_id FROM encounter_alias ORDER BY 1")
    assert names == [("V1", _journey("V1")), ("V2", _journey("V1"))]
    is_settled(database)


@pytest.mark.parametrize("code", ["ADT_A35", "ADT_A41", "ADT_A42", "ADT_A50"])
def test_two_journeys_of_one_encounter_become_the_first(database: Database, code: str) -> None:
    set_up(database)
    apply(database, *visit(), letter("ADT_A04", 30, encounter_id="V2", encounter_type="O"))
    apply(database, letter("PRESCRIBED_DRUGS", 50, encounter_id="V2"))
    assert rows(database, _OPEN) == [("V1",), ("V2",)]
    before = announced(database)
    apply(database, _told(code, 60, encounter="V2", was={"encounter_id": "V1"}))
    assert rows(database, _OPEN) == [("V2",)]
    merged = "SELECT id, merged_into, completed_count FROM journey_instance ORDER BY merged_into NULLS FIRST"
    first, second = rows(database, merged)
    assert (first[1:], second[1]) == ((None, 3), first[0])
    told = announced(database)  # no stage is announced twice
    assert told == [*before, ("journey_merged", None), ("journey_closed", None)]
    is_settled(database)


def test_a_visit_that_is_moved_gets_another_number_and_another_patient(database: Database) -> None:
    set_up(database)
    apply(database, *visit())
    apply(database, _told("ADT_A45", 45, encounter="V2", was={"mrn": "M1", "encounter_id": "V1"}, mrn="M2"))
    assert rows(database, _PATIENTS) == [("V2", _patient("M2"))]
    assert rows(database, "SELECT count(*) FROM encounter_alias") == [(2,)]
    assert announced(database)[-1] == ("journey_moved", None)
    is_settled(database)


@pytest.mark.parametrize("code", ["ADT_A43", "ADT_A44"])
def test_a_journey_that_is_moved_has_another_patient_and_others_of_his_stay(
    database: Database, code: str
) -> None:
    set_up(database)
    apply(database, *visit(), *visit("V2"))
    apply(database, _told(code, 45, encounter="V1", was={"mrn": "M1"}, mrn="M2"))
    assert rows(database, _PATIENTS) == [("V1", _patient("M2")), ("V2", _patient("M1"))]
    is_settled(database)


@pytest.mark.parametrize("moved_first", [True, False])
def test_all_journeys_of_a_patient_who_is_moved_are_another_patients(
    database: Database, moved_first: bool
) -> None:
    set_up(database)
    told = [*visit(), *visit("V2"), *visit("V3", mrn="M3")]
    moved = [_told("ADT_A43", 45, encounter=None, was={"mrn": "M1"}, mrn="M2")]
    for each in (moved, told) if moved_first else (told, moved):
        apply(database, *each)
    assert rows(database, _PATIENTS) == [
        ("V1", _patient("M2")),
        ("V2", _patient("M2")),
        ("V3", _patient("M3")),
    ]
    is_settled(database)


@pytest.mark.parametrize("code", ["ADT_A40", "ADT_A47"])
def test_the_journey_of_a_patient_who_gets_another_number_shows_him(database: Database, code: str) -> None:
    set_up(database)
    letters = [*visit(), _told(code, 45, encounter=None, was={"mrn": "M1"}, mrn="M2")]
    Reader(database, organizations.CONSUMER, organizations.apply, now).take(letters)
    apply(database, *letters)
    assert rows(database, _PATIENTS) == [("V1", _patient("M1"))]
    assert announced(database)[-1] == ("patient_merged", None)
    with database.statements() as connection:
        shown = journey_list.get(connection, _journey("V1"), true())
    assert shown is not None
    assert shown["patient"] == _patient("M2")


def test_a_patient_who_comes_again_has_another_journey(database: Database) -> None:
    set_up(database)
    apply(database, *visit(), letter("ADT_A03", 60))
    apply(database, letter("ADT_A04", 3000, encounter_id="V2", encounter_type="O"))
    found = "SELECT encounter_id, patient_id, status, completed_count FROM journey_instance ORDER BY 1"
    assert rows(database, found) == [
        ("V1", _patient("M1"), "completed", 2),
        ("V2", _patient("M1"), "active", 0),
    ]


def test_encounters_of_a_patient_at_once_are_journeys_of_their_own(database: Database) -> None:
    set_up(database)
    ward = letter("ADT_A01", 5, encounter_id="S1", encounter_type="I")
    apply(database, ward, *visit())
    apply(database, letter("ADT_A03", 60), letter("ADT_A02", 70, encounter_id="S1"))
    found = "SELECT encounter_id, journey_type, status, completed_count FROM journey_instance ORDER BY 1"
    assert rows(database, found) == [("S1", "inpatient", "completed", 1), ("V1", "opd", "completed", 2)]
    is_settled(database)
