"""Patients as people tell of them, on a real PostgreSQL: who comes second is told so."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, true

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import InvalidFields, PreconditionFailed
from dhos_connector_api.px.organizations import patient_changes
from dhos_connector_api.px.organizations.identity import SHARED, Who, folded
from dhos_connector_api.px.organizations.imported import Given, Line, Outcome
from dhos_connector_api.px.organizations.patient_importing import Patients
from tests.builders.feed import FACILITY, Happening
from tests.builders.organizations import a_hospital, patient_body
from tests.rigs.feed_ledger import reader


def _made(database: Database, hospital: UUID, **fields: Any) -> UUID:
    with database.transaction() as connection:
        done = patient_changes.create(connection, patient_body(hospital, **fields), at=clock.now())
        id_: UUID = done.row["id"]
        return id_


def _changed(database: Database, id_: UUID, version: int | None = None, **fields: Any) -> None:
    with database.transaction() as connection:
        patient_changes.change(
            connection, id_, fields, whole=False, seen=true(), version=version, at=clock.now()
        )


def _at_once(number: int, act: Callable[[int], object]) -> list[str]:
    """What comes of it when so many do it together: done, the fields that are wrong, or changed."""
    together = threading.Barrier(number)

    def one(index: int) -> str:
        together.wait()
        try:
            act(index)
        except InvalidFields as error:
            return ",".join(error.details)
        except PreconditionFailed:
            return "changed"
        return "done"

    with ThreadPoolExecutor(number) as threads:
        return sorted(threads.map(one, range(number)))


@pytest.mark.parametrize("is_known_to_the_feed", [True, False])
def test_of_those_who_make_one_number_at_once_one_does(
    database: Database, is_known_to_the_feed: bool
) -> None:
    hospital = a_hospital(database)["id"]
    if is_known_to_the_feed:
        insert = """
            INSERT INTO hospital_identifier (id, created_at, hospital_id, source, kind, value, folded)
            VALUES (gen_random_uuid(), now(), :id, 'hl7v2', 'facility', 'One', 'one')
        """
        with database.transaction() as connection:
            connection.execute(text(insert), {"id": hospital})
    outcomes = _at_once(4, lambda _: _made(database, hospital, mrn="SAME"))
    assert outcomes == ["done", "mrn", "mrn", "mrn"]


def test_of_those_who_give_one_identifier_at_once_one_does(database: Database) -> None:
    hospitals = [a_hospital(database)["id"] for _ in range(4)]
    patients = [_made(database, each) for each in hospitals]
    given = [{"authority": "Clinic", "type": "file", "value": each} for each in ("1", "2")]

    def give(index: int) -> None:
        turned = given if index % 2 else given[::-1]
        _changed(database, patients[index], identifiers=turned)

    assert _at_once(4, give) == ["done", *["identifiers"] * 3]


def test_of_those_who_change_one_version_at_once_one_does(database: Database) -> None:
    patient = _made(database, a_hospital(database)["id"])
    outcomes = _at_once(4, lambda index: _changed(database, patient, version=1, city=f"City {index}"))
    assert outcomes == ["changed", "changed", "changed", "done"]


def test_a_person_and_the_feed_at_once_lose_nothing_of_one_another(database: Database) -> None:
    hospital = a_hospital(database, code=FACILITY)["id"]
    happenings = [Happening("M1", name=("Ann", f"Lee{index}")) for index in range(8)]
    reader(database).take([happenings[0].letter()])
    patient = Who(SHARED, folded(FACILITY), "M1", None).id

    def act(index: int) -> None:
        if index % 2:
            _changed(database, patient, email=f"ann{index}@example.com", city=f"City {index}")
        else:
            reader(database).take([happenings[index].letter()])

    assert _at_once(8, act) == ["done"] * 8
    with database.statements() as connection:
        query = "SELECT hospital_id, last_name, email, city, version FROM patient WHERE id = :id"
        row = connection.execute(text(query), {"id": patient}).one()
    assert (row.hospital_id, row.last_name) == (hospital, "Lee6")
    assert row.email.removeprefix("ann")[0] == row.city[-1]


def _taken(database: Database, **values: Any) -> Outcome:
    given = Given(clock.now(), lambda: clock.new_uuid(clock.now()), lambda *_: {})
    with database.transaction() as connection:
        return Patients().take(connection, Line(1, values), given)


def test_lines_of_a_file_make_and_change_patients_and_are_exported_as_they_were_given(
    database: Database,
) -> None:
    a_hospital(database, code="H1", region="SA")
    line = {"mrn": "7", "first_name": "Ann", "last_name": "Lee", "primary_hospital": "H1"}
    line |= {"phone": "0501234567", "date_of_birth": "1990-01-15", "city": ""}
    assert [_taken(database, **line).sign for _ in range(2)] == ["+", "="]
    changed = _taken(database, **line | {"date_of_birth": "1990-01-16"})
    assert (changed.sign, changed.differences) == ("~", {"date_of_birth": ("1990-01-15", "1990-01-16")})
    for wrong, name in (
        ({"primary_hospital": "H9"}, "primary_hospital"),
        ({"mrn": "", "last_name": "Fox"}, "mrn"),
        ({"phone": "none"}, "phone"),
        ({"colour": "red"}, "colour"),
    ):
        refused = _taken(database, **line | wrong)
        assert (refused.sign, set(refused.details)) == ("!", {name})
    with database.statements() as connection:
        [(id_, shown)] = Patients().lines(connection, None)
        assert Patients().lines(connection, id_) == []
    assert {name: shown[name] or "" for name in line} == line | {"date_of_birth": "1990-01-16"}
