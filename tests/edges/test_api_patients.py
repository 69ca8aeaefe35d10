"""Patients over HTTP: as people tell of them, beside what the feed tells."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from starlette.types import ASGIApp

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.organizations.identity import SHARED, Who, folded
from tests.builders.api import ask
from tests.builders.feed import FACILITY, Happening
from tests.builders.organizations import a_hospital, a_user, patient_body
from tests.builders.people import person_token, shared_people_api
from tests.rigs.feed_ledger import reader

PATIENTS = "/api/organizations/patients/"


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return shared_people_api(database)


@pytest.fixture
def hospital(database: Database) -> UUID:
    """A hospital that the feed knows by its facility."""
    id_: UUID = a_hospital(database, region="SA", code=FACILITY)["id"]
    insert = """
        INSERT INTO hospital_identifier (id, created_at, hospital_id, source, kind, value, folded)
        VALUES (gen_random_uuid(), now(), :id, 'hl7v2', 'facility', :name, :folded)
    """
    with database.transaction() as connection:
        connection.execute(text(insert), {"id": id_, "name": FACILITY, "folded": folded(FACILITY)})
    return id_


@pytest.fixture
def token(database: Database, hospital: UUID) -> str:
    return person_token(a_user(database, hospital, level=80))


def path(id_: object) -> str:
    return f"{PATIENTS}{id_}/"


def of_feed(mrn: str) -> UUID:
    return Who(SHARED, folded(FACILITY), mrn, None).id


def told(database: Database, *happenings: Happening) -> None:
    reader(database).take([each.letter() for each in happenings])


def trail(database: Database) -> list[Any]:
    columns = "action, object_id, hospital_id, fields"
    query = f"SELECT {columns} FROM audit_event WHERE object_type = 'patient' ORDER BY at, id"
    with database.statements() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_patient_is_made_read_replaced_changed_and_deactivated(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    other = {"authority": "Clinic", "type": "file", "value": "7"}
    body = patient_body(hospital, phone="0501234567", language="ar", date_of_birth="1990-01-15")
    body |= {"gender": "male", "city": "Riyadh", "deceased_at": None, "identifiers": [other]}
    answer = ask(app, "POST", PATIENTS, token=token, json=body)
    assert answer.status_code == 201, answer.text
    first = answer.json()
    own = {"authority": folded(FACILITY), "type": "MRN", "value": body["mrn"]}
    assert first | body | {"identifiers": [other, own]} == first
    assert (first["phone_e164"], first["id"]) == ("+966501234567", str(of_feed(body["mrn"])))
    one = path(first["id"])
    again = ask(app, "GET", one, token=token)
    assert (again.json(), again.headers["ETag"]) == (first, '"1"')

    answer = ask(app, "PATCH", one, token=token, json={"phone": None}, headers={"If-Match": '"1"'})
    assert (answer.json()["phone_e164"], answer.headers["ETag"]) == (None, '"2"')
    for method, more in (("PATCH", {"json": {"city": None}}), ("PUT", {"json": body}), ("DELETE", {})):
        stale = ask(app, method, one, token=token, headers={"If-Match": '"1"'}, **more)
        assert (stale.status_code, set(stale.json())) == (412, {"detail"})
    least = {name: body[name] for name in ("mrn", "first_name", "last_name", "primary_hospital")}
    replaced = ask(app, "PUT", one, token=token, json=least).json()
    assert (replaced["city"], replaced["language"], replaced["identifiers"]) == (None, None, [own])
    assert ask(app, "DELETE", one, token=token, headers={"If-Match": '"3"'}).status_code == 204
    assert ask(app, "GET", one, token=token).json()["status"] == "inactive"
    rows = ask(app, "GET", PATIENTS, token=token, params={"status": "inactive", "search": body["mrn"]}).json()
    assert [each["id"] for each in rows["results"]] == [first["id"]]

    id_ = UUID(first["id"])
    assert [each[0] for each in trail(database)] == [
        *("create", "look", "change", "change", "deactivate", "look", "look")
    ]
    assert trail(database)[2] == ("change", id_, hospital, ["phone"])
    assert trail(database)[-1] == ("look", None, hospital, [])


def test_what_a_person_says_is_undone_by_newer_facts_alone(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    old = Happening("M1", name=("Ann", "Lee"), phone="0501234567")
    told(database, old)
    one = path(of_feed("M1"))
    assert ask(app, "PATCH", one, token=token, json={"phone": "0507654321"}).status_code == 200
    told(database, Happening("M1", name=("Ann", "Fox"), phone="0501111111"), old)
    shown = ask(app, "GET", one, token=token).json()
    assert (shown["phone_e164"], shown["last_name"]) == ("+966507654321", "Fox")
    told(database, Happening("M1", phone="0502222222", at=now() + timedelta(hours=1)))
    assert ask(app, "GET", one, token=token).json()["phone_e164"] == "+966502222222"
    # the clock of the feed is ahead of ours: a person's word counts all the same
    assert ask(app, "PATCH", one, token=token, json={"phone": None}).status_code == 200
    told(database, old, Happening("M1", phone="0503333333"))
    assert ask(app, "GET", one, token=token).json()["phone"] is None


def test_a_merged_patient_is_read_as_the_one_he_is_merged_into_until_it_is_undone(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    merge = Happening("M2", "ADT_A40", prior="M1")
    told(database, Happening("M1", name=("Ann", "Lee")), Happening("M2", name=("Ann", "Fox")), merge)
    prior, survivor = str(of_feed("M1")), str(of_feed("M2"))
    shown = ask(app, "GET", path(prior), token=token).json()
    assert (shown["id"], shown["merged_from"], shown["last_name"]) == (survivor, prior, "Fox")
    assert ask(app, "GET", path(survivor), token=token).json()["merged_from"] is None
    assert [each["id"] for each in ask(app, "GET", PATIENTS, token=token).json()["results"]] == [survivor]
    for method, more in (("PATCH", {"json": {"city": "Abha"}}), ("DELETE", {})):
        assert ask(app, method, path(prior), token=token, **more).status_code == 409
    unmerge = f"{path(prior)}unmerge/"
    assert (
        ask(app, "POST", unmerge, token=person_token(a_user(database, hospital, level=60))).status_code == 403
    )
    for _ in range(2):
        answer = ask(app, "POST", unmerge, token=token)
        assert (answer.status_code, answer.json()["merged_into"]) == (200, None)
    told(database, merge)
    assert ask(app, "GET", path(prior), token=token).json()["id"] == prior
    assert ("unmerge", UUID(prior), hospital, ["merged_into"]) in trail(database)


def test_a_number_is_one_patients(app: ASGIApp, database: Database, hospital: UUID, token: str) -> None:
    file = {"authority": "Clinic", "type": "file", "value": "7"}
    told(database, Happening("M1", name=("Ann", "Lee")))
    first = ask(app, "POST", PATIENTS, token=token, json=patient_body(hospital, identifiers=[file])).json()
    second = patient_body(hospital)
    second_id = ask(app, "POST", PATIENTS, token=token, json=second).json()["id"]
    for method, url, fields, wrong in (
        ("POST", PATIENTS, patient_body(hospital, mrn="M1"), "mrn"),
        ("POST", PATIENTS, patient_body(hospital, mrn=first["mrn"]), "mrn"),
        ("POST", PATIENTS, patient_body(hospital, identifiers=[file]), "identifiers"),
        ("PATCH", path(second_id), {"identifiers": [file]}, "identifiers"),
        ("PATCH", path(second_id), {"mrn": "another"}, "mrn"),
        ("PATCH", path(second_id), {"phone": "no number"}, "phone"),
        ("PATCH", path(second_id), {"email": "nobody"}, "email"),
        ("PATCH", path(second_id), {"language": "xx"}, "language"),
        ("PATCH", path(second_id), {"first_name": " "}, "first_name"),
    ):
        answer = ask(app, method, url, token=token, json=fields)
        assert (answer.status_code, set(answer.json())) == (400, {wrong}), answer.text
    others = [file | {"type": "card"}, file | {"authority": "Other"}]
    assert ask(app, "PATCH", path(second_id), token=token, json={"identifiers": others}).status_code == 200


def test_a_telephone_number_is_one_of_the_hospitals_region(app: ASGIApp, database: Database) -> None:
    token = person_token(a_user(database, level=100))
    for region, phone, number in (
        ("SA", "0501234567", "+966501234567"),
        ("GB", "07700 900123", "+447700900123"),
        (None, "+966 50 123 4567", "+966501234567"),
    ):
        body = patient_body(a_hospital(database, region=region)["id"], phone=phone)
        answer = ask(app, "POST", PATIENTS, token=token, json=body).json()
        assert (answer["phone"], answer["phone_e164"]) == (phone, number)
    body = patient_body(a_hospital(database)["id"], phone="0501234567")
    assert set(ask(app, "POST", PATIENTS, token=token, json=body).json()) == {"phone"}


def test_what_is_of_another_hospital_is_not_there(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    admin, other = person_token(a_user(database, level=100)), a_hospital(database)["id"]
    foreign = ask(app, "POST", PATIENTS, token=admin, json=patient_body(other)).json()["id"]
    for method, more in (("GET", {}), ("PATCH", {"json": {"city": None}}), ("DELETE", {})):
        assert ask(app, method, path(foreign), token=token, **more).status_code == 404
    assert ask(app, "POST", f"{path(foreign)}unmerge/", token=token).status_code == 404
    for method, url in (("POST", PATIENTS), ("PUT", path(foreign))):
        answer = ask(app, method, url, token=token, json=patient_body(other))
        assert (answer.status_code, set(answer.json())) == (400, {"primary_hospital"})
    asked = ask(app, "GET", PATIENTS, token=token, params={"primary_hospital": str(other)}).json()
    assert asked["results"] == []
    assert (
        ask(app, "GET", PATIENTS, token=person_token(a_user(database, hospital, level=40))).status_code == 403
    )
    for wrong in (
        {"ordering": "phone"},
        {"gender": "odd"},
        {"colour": "red"},
        {"primary_hospital": "x" * 36},
    ):
        assert ask(app, "GET", PATIENTS, token=token, params=wrong).status_code == 400


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_a_longer_page_takes_no_more_statements(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    for _ in range(6):
        assert ask(app, "POST", PATIENTS, token=token, json=patient_body(hospital)).status_code == 201
    numbers = []
    for size in (1, 6):
        with counted(database) as seen:
            found = ask(app, "GET", PATIENTS, token=token, params={"page_size": size}).json()
        assert len(found["results"]) == size
        numbers.append(len(seen))
    assert numbers[0] == numbers[1] <= 12


def test_nothing_of_a_patient_is_logged_or_told_in_errors_and_the_trail(
    app: ASGIApp,
    database: Database,
    hospital: UUID,
    token: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    canaries = ["Zaqariya", "Qanarie", "0507770001", "zaqariya@qanarie.example", "QMRN77", "Qstreet"]
    names = ("first_name", "last_name", "phone", "email", "mrn", "address")
    body = patient_body(hospital, **dict(zip(names, canaries, strict=True)))
    assert ask(app, "POST", PATIENTS, token=token, json=body).status_code == 201
    answers = [
        ask(app, "POST", PATIENTS, token=token, json=body),
        ask(app, "POST", PATIENTS, token=token, json=body | {"email": "qanarie", "language": "Qanarie"}),
        ask(app, "POST", PATIENTS, token=token, json=body | {"qanarie": 1}),
    ]
    assert [each.status_code for each in answers] == [400, 400, 400]
    told_by = capsys.readouterr()
    texts = [*(each.text for each in answers), told_by.out, told_by.err, caplog.text]
    texts.append(json.dumps(trail(database), default=str))
    for canary in (*canaries, "966507770001"):
        assert not [text for text in texts if canary in text]
