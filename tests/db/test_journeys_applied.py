"""Journeys on a real PostgreSQL: the tables come to the fold of all evidence, whatever arrives how."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.journeys.evidence import EncounterKey
from tests.builders.encounters import FACILITY, HOSPITAL, a_hospital, again, at, letter
from tests.builders.journey_templates import a_template
from tests.rigs.applied_journeys import (
    STAGES,
    announced,
    apply,
    empty,
    is_settled,
    journeys,
    reader,
    rows,
    set_up,
    visit,
)


def test_a_visit_becomes_a_journey_whose_stages_and_end_are_announced(database: Database) -> None:
    set_up(database)
    apply(database, *visit())
    assert [row[3:7] for row in journeys(database)[:1]] == [("opd", False, "active", None)]
    apply(database, letter("ADT_A03", 60))
    [journey, *stages] = journeys(database)
    assert journey[0] == EncounterKey("hospital", HOSPITAL, "V1").journey_id
    assert journey[5:7] == ("completed", "discharged")
    assert [each[1:4] for each in stages] == [
        ("CONSULT", "completed", at(20)),
        ("LAB", "completed", at(40)),
        ("PHARMACY", "skipped", None),
    ]
    assert announced(database) == [
        ("stage_completed", "CONSULT"),
        ("stage_completed", "LAB"),
        ("journey_closed", None),
    ]


def test_what_is_announced_says_what_a_survey_needs(database: Database) -> None:
    survey = uuid4()
    stage = {"trigger_event_code": "CONSULTATION", "survey_template_id": survey, "auto_send_survey": True}
    with database.transaction() as connection:
        a_hospital(connection)
        a_template(connection, HOSPITAL, {"CONSULT": stage | {"survey_delay_hours": 2}})
    apply(database, *visit()[:2])
    ((body,), _) = rows(database, "SELECT body FROM outbox ORDER BY position")
    data = json.loads(body)["actions"][0]["data"]
    assert data["hospital_id"] == str(HOSPITAL)
    assert data["encounter_id"] == "V1"
    told = {
        name: data["stage"][name] for name in ("survey_template_id", "auto_send_survey", "survey_delay_hours")
    }
    assert told == {"survey_template_id": str(survey), "auto_send_survey": True, "survey_delay_hours": 2}
    assert data["stage"]["completed_at"] == "2026-03-01T08:20:00.000Z"
    assert not data["stage"]["is_late"]


def _invented(random: Random, encounters: int) -> list[Letter]:
    """What happens to some encounters: opened, moved, renamed, cancelled, closed, by several sources."""
    found: list[Letter] = []
    for number in range(encounters):
        name, kind = f"E{number}", random.choice(["O", "I", "E", None])
        codes = ["ADT_A01", "ADT_A02", *STAGES.values(), "ADT_A08"]
        codes += random.choices(["ADT_A03", "ADT_A13", "ADT_A11", "ADT_A06", "ADT_A21"], k=2)
        for code in codes:
            told: dict[str, Any] = {"encounter_id": name, "encounter_type": random.choice([kind, "I"])}
            found.append(letter(code, random.uniform(0, 1000), mrn=f"M{number % 7}", **told))
        if number % 3 == 0:
            previous = {"mrn": None, "nhs_number": None, "encounter_id": name}
            found.append(
                letter("ADT_A50", random.uniform(0, 900), encounter_id=f"{name}B", previous=previous)
            )
            found.append(letter("LAB_ORDER_COMPLETED", random.uniform(0, 900), encounter_id=f"{name}B"))
        if number % 4 == 0:
            before = {"mrn": f"M{number % 7}", "nhs_number": None, "encounter_id": None}
            moved: dict[str, Any] = {"encounter_id": None, "previous": before, "mrn": f"N{number}"}
            found.append(letter("ADT_A43", random.uniform(0, 900), **moved))
    return found


def _batches(random: Random, letters: Sequence[Letter]) -> list[list[Letter]]:
    shuffled = random.sample(letters, len(letters))
    found: list[list[Letter]] = []
    while shuffled:
        size = random.randint(1, 20)
        found.append(shuffled[:size])
        shuffled = shuffled[size:]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_any_order_and_any_number_of_copies_come_to_the_same_journeys(database: Database, seed: int) -> None:
    set_up(
        database,
        opd=STAGES,
        inpatient={"WARD": "ADT_A02", "LAB": "LAB_ORDER_COMPLETED"},
        ems={"ER": "ADT_A01"},
    )
    random = Random(seed)
    letters = _invented(random, 24)
    for batch in _batches(random, letters):
        apply(database, *batch)
    expected = journeys(database)
    assert len(expected) > 24
    is_settled(database)
    empty(database)
    copies = [copy for each in letters for copy in [each] + [again(each)] * random.randint(0, 2)]
    for batch in _batches(random, copies):
        apply(database, *batch)
    assert journeys(database) == expected
    is_settled(database)


def test_consumers_that_tell_of_the_same_encounters_at_once_lose_nothing(database: Database) -> None:
    set_up(database)
    random = Random(5)
    letters = [each for _ in range(3) for each in _invented(random, 8)]
    batches = _batches(random, [copy for each in letters for copy in (each, again(each))])
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda batch: reader(database).take(batch), batches))
    consumer = reader(database)
    while rows(database, "SELECT 1 FROM parked"):
        with database.transaction() as connection:
            connection.execute(text("UPDATE parked SET next_at = now()"))
        assert consumer.try_again()
    is_settled(database)
    numbers = rows(database, "SELECT id FROM outbox WHERE routing_key = 'dhos.px_event'")
    told = sum(
        row[0]
        for row in rows(
            database, "SELECT (announced->>'number')::int FROM journey_instance WHERE announced ? 'number'"
        )
    )
    assert len(numbers) >= told > 0


def test_sources_that_spell_the_facility_differently_tell_of_one_journey(database: Database) -> None:
    with database.transaction() as connection:
        a_hospital(connection, hl7v2=FACILITY, his="ALH-main")
        a_template(connection, HOSPITAL, STAGES)
    opened, consulted, lab = visit()
    his = letter("HIS_ADMITTED", 1, source="his", facility="alh-MAIN ")
    hook = letter("PRESCRIBED_DRUGS", 50, source="emr", facility=None, mrn=None)
    apply(database, hook, lab)
    apply(database, his, consulted)
    apply(database, opened)
    [journey] = [row for row in journeys(database) if len(row) == 12]
    assert journey[10] == 3
    assert journey[5:7] == ("completed", "all_stages")
    assert rows(database, "SELECT count(*) FROM evidence WHERE state = 'applied'") == [(5,)]


def test_an_event_without_facility_goes_to_the_only_encounter_of_its_number(database: Database) -> None:
    other = UUID(int=0x106)
    with database.transaction() as connection:
        a_hospital(connection)
        a_hospital(connection, other, "H106", hl7v2="OTHER")
        for each in (HOSPITAL, other):
            a_template(connection, each, STAGES)
    nowhere = letter("PRESCRIBED_DRUGS", 50, source="emr", facility=None, mrn="M9")
    apply(database, nowhere, visit()[0])
    assert journeys(database)[0][10] == 1
    apply(database, letter("ADT_A04", 5, facility="OTHER", mrn="M9", encounter_type="O"))
    counts = rows(database, "SELECT hospital_id, completed_count FROM journey_instance ORDER BY hospital_id")
    assert counts == [(HOSPITAL, 0), (other, 1)]


@pytest.mark.parametrize("renamed_first", [True, False])
def test_an_encounter_with_another_number_stays_one_journey(database: Database, renamed_first: bool) -> None:
    set_up(database)
    opened, consulted, lab = visit()
    previous = {"mrn": None, "nhs_number": None, "encounter_id": "V1"}
    renamed = letter("ADT_A50", 30, encounter_id="V2", previous=previous)
    later = letter("PRESCRIBED_DRUGS", 50, encounter_id="V2")
    reopened = letter("ADT_A01", 45, encounter_id="V2", encounter_type="O")
    first, last = [renamed], [opened, consulted, lab, later, reopened]
    for each in (first, last) if renamed_first else (last, first):
        apply(database, *each)
    [journey] = [row for row in journeys(database) if len(row) == 12]
    assert journey[:2] == (EncounterKey("hospital", HOSPITAL, "V1").journey_id, "V2")
    assert journey[10] == 3
    aliases = rows(database, "SELECT encounter_id, journey_id FROM encounter_alias ORDER BY encounter_id")
    assert aliases == [("V1", journey[0]), ("V2", journey[0])]
    assert [name for name in announced(database) if name[0] == "stage_completed"].count(
        ("stage_completed", "CONSULT")
    ) == 1


def test_a_changed_meaning_replaces_the_evidence(database: Database) -> None:
    set_up(database)
    opened, consulted, _ = visit()
    apply(database, opened, consulted)
    event = UUID(json.loads(consulted.body)["actions"][0]["data"]["event_uuid"])
    apply(database, letter("LAB_ORDER_COMPLETED", 20, event_uuid=event, generation=1))
    apply(database, again(consulted))
    stages = {row[1]: row[2] for row in journeys(database)[1:]}
    assert stages == {"CONSULT": "pending", "LAB": "completed", "PHARMACY": "pending"}
    assert announced(database)[-2:] == [("stage_reopened", "CONSULT"), ("stage_completed", "LAB")]


def test_an_opening_that_means_something_else_takes_its_journey_back(database: Database) -> None:
    set_up(database)
    opened = letter("VISIT_STARTED", 0, source="his", facility=FACILITY)
    with database.transaction() as connection:
        connection.execute(text("UPDATE hospital_identifier SET source = 'his'"))
    apply(database, opened)
    event = UUID(json.loads(opened.body)["actions"][0]["data"]["event_uuid"])
    apply(database, letter("NOTHING", 0, source="his", event_uuid=event, generation=1))
    assert journeys(database)[0][5] == "cancelled"
    assert announced(database) == [("journey_cancelled", None)]


@pytest.mark.parametrize("source", ["person", "Clock ", "his"])
def test_what_people_and_the_clock_do_cannot_be_sent_by_a_feed(database: Database, source: str) -> None:
    set_up(database)
    with database.transaction() as connection:
        connection.execute(text("UPDATE hospital_identifier SET source = :name"), {"name": source.strip()})
    apply(database, letter(" journey_Opened", 0, source=source), letter("JOURNEY_CLOSED", 5, source=source))
    assert journeys(database) == []


def test_each_event_of_a_death_or_a_merge_is_announced_once(database: Database) -> None:
    set_up(database)
    previous = {"mrn": "M2", "nhs_number": None, "encounter_id": None}
    merged = letter("ADT_A40", 5, encounter_id=None, previous=previous)
    died = letter("ADT_A08", 9, deceased=True)
    apply(database, merged, again(merged), died)
    apply(database, again(died), letter("ADT_A08", 12, deceased=True))
    told = ["patient_died", "patient_died", "patient_merged"]  # of two events that tell of the death
    assert sorted(name for name, _ in announced(database)) == told
