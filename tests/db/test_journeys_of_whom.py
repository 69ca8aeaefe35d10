"""Whose an encounter is, and which hospital's, where events name two encounters, none, or no facility."""

import json
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.apply import Reader
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.journeys.histories import history
from dhos_connector_api.px.organizations import on_event as patients
from dhos_connector_api.px.organizations.identity import SHARED, Who
from tests.builders.encounters import FACILITY, HOSPITAL, a_hospital, letter
from tests.builders.journey_templates import a_template
from tests.rigs.applied_journeys import STAGES, announced, apply, rows, set_up

_BY_ENCOUNTER = "SELECT encounter_id, patient_id, status FROM journey_instance ORDER BY encounter_id"


def _patient(mrn: str) -> UUID:
    return Who(SHARED, FACILITY.lower(), mrn, None).id


def _before(encounter: str | None, mrn: str = "M1") -> dict[str, Any]:
    return {"mrn": mrn, "nhs_number": None, "encounter_id": encounter}


def _opened(encounter: str, minutes: float, **fields: Any) -> Letter:
    return letter("ADT_A04", minutes, encounter_id=encounter, encounter_type="O", **fields)


def test_a_merge_of_patients_joins_no_stays_though_it_names_two(database: Database) -> None:
    set_up(database)
    merged = letter("ADT_A40", 9, encounter_id="V2", mrn="M2", previous=_before("V1"))
    apply(database, _opened("V1", 0), _opened("V2", 5, mrn="M2"), merged)
    assert [row[0] for row in rows(database, _BY_ENCOUNTER)] == ["V1", "V2"]
    assert rows(database, "SELECT count(*) FROM journey_instance WHERE merged_into IS NULL") == [(2,)]


def test_a_move_of_one_visit_moves_no_other(database: Database) -> None:
    set_up(database)
    moved = letter("ADT_A45", 9, encounter_id=None, mrn="M2", previous=_before("V1"))
    apply(database, _opened("V1", 0), _opened("V2", 5), moved)
    found = {row[0]: row[1] for row in rows(database, _BY_ENCOUNTER)}
    assert found == {"V1": _patient("M2"), "V2": _patient("M1")}


def test_a_move_of_an_account_that_is_not_named_moves_nothing(database: Database) -> None:
    set_up(database)
    apply(
        database, _opened("V1", 0), letter("ADT_A44", 9, encounter_id=None, mrn="M2", previous=_before(None))
    )
    assert {row[1] for row in rows(database, _BY_ENCOUNTER)} == {_patient("M1")}


def test_a_move_of_an_account_with_another_number_moves_that_and_renames_it(database: Database) -> None:
    set_up(database)
    moved = letter("ADT_A44", 9, encounter_id="V9", mrn="M2", previous=_before("V1"))
    apply(database, _opened("V1", 0), moved)
    [(_, patient, status)] = rows(database, _BY_ENCOUNTER)
    assert (patient, status) == (_patient("M2"), "active")


def test_two_journeys_that_turn_out_to_be_one_say_so_and_keep_what_people_kept(database: Database) -> None:
    set_up(database)
    apply(database, _opened("V2", 5), letter("CONSULTATION", 9, encounter_id="V2"), _opened("V1", 0))
    with database.transaction() as connection:
        keep = "UPDATE journey_instance SET details = '{\"bed\": \"7\"}' WHERE encounter_id = 'V2'"
        connection.execute(text(keep))
    [(absorbed,)] = rows(database, "SELECT id FROM journey_instance WHERE encounter_id = 'V2'")
    apply(database, letter("ADT_A50", 20, encounter_id="V2", previous=_before("V1", "M1")))
    said = rows(database, "SELECT body FROM outbox WHERE routing_key = 'dhos.px_event' ORDER BY position")
    actions = [json.loads(row[0])["actions"][0] for row in said]
    [merged] = [each["data"] for each in actions if each["name"] == "journey_merged"]
    assert merged["merged_journey_id"] == str(absorbed) != merged["journey_id"]
    assert [name for name, _ in announced(database)].count("stage_completed") == 1
    [(details,)] = rows(database, "SELECT details FROM journey_instance WHERE merged_into IS NULL")
    assert details == {"bed": "7"}


def test_an_encounter_stays_where_it_began_though_its_facility_means_another_hospital(
    database: Database,
) -> None:
    set_up(database)
    apply(database, _opened("V1", 0))
    other = UUID(int=0x106)
    with database.transaction() as connection:
        a_hospital(connection, other, "H106", his="elsewhere")
        a_template(connection, other, STAGES)
        connection.execute(
            text("UPDATE hospital_identifier SET hospital_id = :id WHERE source = 'hl7v2'"), {"id": other}
        )
    apply(database, letter("CONSULTATION", 9), _opened("V2", 10))
    found = rows(
        database, "SELECT encounter_id, hospital_id, completed_count FROM journey_instance ORDER BY 1"
    )
    assert found == [("V1", HOSPITAL, 1), ("V2", other, 0)]
    [(journey,)] = rows(database, "SELECT id FROM journey_instance WHERE encounter_id = 'V1'")
    with database.statements() as connection:
        explained = history(connection, journey)
    assert explained is not None
    assert len(explained[1].evidence) == 2


def test_a_second_hospital_takes_nothing_from_encounters_that_name_no_facility(database: Database) -> None:
    with database.transaction() as connection:
        a_hospital(connection)
        a_template(connection, HOSPITAL, STAGES)
    nameless: dict[str, Any] = {"source": "emr", "facility": None}
    apply(database, letter("VISIT_STARTED", 0, **nameless))
    with database.transaction() as connection:
        a_hospital(connection, UUID(int=0x106), "H106", his="elsewhere")
    apply(database, letter("PATIENT_DISCHARGED", 30, **nameless))
    assert rows(database, "SELECT hospital_id, status FROM journey_instance") == [(HOSPITAL, "completed")]


def test_a_death_that_newer_facts_take_back_is_announced_to_nobody(database: Database) -> None:
    set_up(database)
    alive, died = letter("ADT_A08", 20, deceased=False), letter("ADT_A08", 10, deceased=True)
    reader = Reader(database, patients.CONSUMER, patients.apply, now)
    for each in (alive, died):
        reader.take([each])
        apply(database, each)
    assert announced(database) == []
    later = letter("ADT_A03", 40, deceased=True)
    reader.take([later])
    apply(database, later)
    assert announced(database) == [("patient_died", None)]
