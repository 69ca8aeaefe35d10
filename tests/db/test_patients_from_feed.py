"""Patients from the feed on a real PostgreSQL: the tables come to the sorted fold, whatever arrives how."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.px.organizations import periodic
from dhos_connector_api.px.organizations.folding import words
from dhos_connector_api.px.organizations.identity import SHARED, Who, folded
from dhos_connector_api.px.organizations.unmerge import unmerge
from tests.builders.feed import FACILITY, RENAME, Happening, Patient, expected, invented
from tests.rigs.feed_ledger import batches, patients, reader, shuffled

HOSPITAL = UUID(int=7)


def _apply(database: Database, *happenings: Happening) -> None:
    reader(database).take([each.letter() for each in happenings])


def _id(mrn: str) -> UUID:
    return Who(SHARED, folded(FACILITY), mrn, None).id


def _one(database: Database, query: str) -> Any:
    with database.statements() as connection:
        return connection.execute(text(query)).one()


def _hospital(database: Database, region: str = "SA", name: str = FACILITY) -> None:
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO hospital (id, created_at, updated_at, code, name, region)"
                " VALUES (:id, now(), now(), 'H1', 'One', :region)"
            ),
            {"id": HOSPITAL, "region": region},
        )
        connection.execute(
            text(
                "INSERT INTO hospital_identifier (id, created_at, hospital_id, source, kind, value, folded)"
                " VALUES (gen_random_uuid(), now(), :id, 'hl7v2', 'facility', :name, :folded)"
            ),
            {"id": HOSPITAL, "name": name, "folded": folded(name)},
        )


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_and_repeated_envelopes_come_to_the_sorted_fold(database: Database, seed: int) -> None:
    random = Random(seed)
    happenings = invented(random, 120, 12)
    for batch in batches(random, shuffled(random, [each.letter() for each in happenings]), 20):
        reader(database).take(batch)
    assert patients(database) == expected(happenings)


def test_consumers_at_once_come_to_the_sorted_fold(database: Database) -> None:
    random = Random(1)
    happenings = invented(random, 100, 8)
    pieces = batches(random, shuffled(random, [each.letter() for each in happenings]), 20)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(reader(database).take, pieces))
    while reader(database).try_again():
        pass
    assert _one(database, "SELECT count(*) FROM parked").count == 0
    assert patients(database) == expected(happenings)


def test_older_facts_undo_nothing_and_newer_ones_replace_their_group_alone(database: Database) -> None:
    new = Happening("M1", name=("Ann", "Lee"), phone="+442079460001")
    old = replace(Happening("M1", name=("Anna", "Old"), phone="1"), at=new.at - timedelta(days=1))
    _apply(database, new)
    _apply(database, old)
    assert patients(database)["M1"] == Patient(("Ann", "Lee"), "+442079460001")
    _apply(database, Happening("M1", name=("Ann", "Fox")))
    assert patients(database)["M1"] == Patient(("Ann", "Fox"), "+442079460001")


def test_death_stays_until_something_newer_says_otherwise(database: Database) -> None:
    dead = Happening("M1", name=("Ann", "Lee"), died_on="2026-01-02", deceased=True)
    _apply(database, dead, Happening("M1", phone="+442079460001"))
    assert patients(database)["M1"].is_deceased
    _apply(
        database,
        replace(dead, event=UUID(int=1), at=dead.at - timedelta(days=1), deceased=False, died_on=None),
    )
    assert patients(database)["M1"].died_on == "2026-01-02"
    _apply(database, Happening("M1", deceased=False))
    assert patients(database)["M1"][2:4] == (False, None)


def test_a_merge_points_everybody_at_the_last_survivor_and_keeps_identifiers_where_they_were(
    database: Database,
) -> None:
    first, second = Happening("M2", "ADT_A40", prior="M1"), Happening("M3", "ADT_A30", prior="M2")
    _apply(database, second)
    _apply(database, first)
    found = patients(database)
    assert [found[mrn].merged_into for mrn in ("M1", "M2", "M3")] == ["M3", "M3", None]
    query = "SELECT patient_id FROM patient_identifier WHERE type = 'MRN' AND value = 'M1'"
    assert _one(database, query).patient_id == _id("M1")


def test_a_changed_number_keeps_what_was_known_under_the_old_one(database: Database) -> None:
    renamed = Happening("M2", RENAME, prior="M1")
    _apply(database, renamed)
    _apply(database, replace(Happening("M1", name=("Ann", "Lee")), at=renamed.at - timedelta(days=1)))
    found = patients(database)
    assert found["M2"] == Patient(("Ann", "Lee"))
    assert found["M1"].merged_into == "M2"


def test_a_person_can_unmerge_and_the_same_event_does_not_merge_again(database: Database) -> None:
    first, second = Happening("M2", "ADT_A40", prior="M1"), Happening("M3", "ADT_A40", prior="M2")
    _apply(database, first, second)
    with database.transaction() as connection:
        assert unmerge(connection, _id("M2"), at=now(), by="test") == 2
    assert [patients(database)[mrn].merged_into for mrn in ("M1", "M2", "M3")] == ["M2", None, None]
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM inbox"))
    _apply(database, second)
    assert patients(database)["M2"].merged_into is None
    _apply(database, Happening("M3", "ADT_A40", prior="M2"))
    assert patients(database)["M1"].merged_into == "M3"


def test_who_is_not_merged_or_not_known_cannot_be_unmerged(database: Database) -> None:
    _apply(database, Happening("M1", name=("Ann", "Lee")))
    with database.transaction() as connection:
        with pytest.raises(Conflict):
            unmerge(connection, _id("M1"), at=now(), by="test")
        with pytest.raises(NotFound):
            unmerge(connection, UUID(int=1), at=now(), by="test")


def test_a_patient_is_of_the_hospital_that_his_facility_names_and_his_number_of_its_region(
    database: Database,
) -> None:
    _hospital(database)
    _apply(
        database, Happening("M1", phone="050 123 4567"), Happening("M2", facility="RYY", phone="0501234567")
    )
    known = _one(database, "SELECT hospital_id, phone, phone_e164 FROM patient WHERE mrn = 'M1'")
    assert tuple(known) == (HOSPITAL, "050 123 4567", "+966501234567")
    unknown = _one(database, "SELECT hospital_id, phone, phone_e164 FROM patient WHERE mrn = 'M2'")
    assert tuple(unknown) == (None, "0501234567", None)


def test_a_hospital_that_is_named_later_gets_its_patients(database: Database) -> None:
    _apply(
        database, Happening("M1", phone="050 123 4567"), Happening("M2", facility="RYY", phone="0501234567")
    )
    _hospital(database)
    with database.transaction() as connection:
        assert not periodic.place(connection, now())
    known = _one(database, "SELECT hospital_id, phone_e164 FROM patient WHERE mrn = 'M1'")
    assert tuple(known) == (HOSPITAL, "+966501234567")
    assert _one(database, "SELECT hospital_id FROM patient WHERE mrn = 'M2'").hospital_id is None


def test_two_patients_may_be_told_with_one_nhs_number(database: Database) -> None:
    both = {"patient": {"nhs_number": "9434765919"}}
    _apply(
        database,
        Happening("M1", name=("Ann", "Lee"), more=both),
        Happening("M2", name=("Sam", "Lee"), more=both),
    )
    query = "SELECT count(*) FROM patient_identifier WHERE value = '9434765919'"
    assert _one(database, query).count == 2


def test_a_patient_of_the_feed_is_found_by_his_newest_name(database: Database) -> None:
    random = Random(3)
    _apply(database, *invented(random, 40, 4))
    with database.statements() as connection:
        rows = connection.execute(
            text("SELECT tsvector_to_array(search), first_name, last_name, first_name_ar FROM patient")
        ).all()
    assert any(row.last_name for row in rows)
    assert [row[0] for row in rows] == [words(*row[1:]) for row in rows]
