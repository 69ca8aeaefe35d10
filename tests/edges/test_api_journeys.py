"""Journeys over HTTP: lists, filters, the search, one journey, how far it is; who sees which."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text, update
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.organizations.models import PatientIdentifierRow, PatientRow
from tests.builders.api import ask
from tests.builders.journey_rows import a_journey, a_patient
from tests.builders.journey_templates import a_template
from tests.builders.organizations import a_department, a_hospital, a_physician, a_user
from tests.builders.people import people_api, person_token
from tests.rigs.answers import OPERATIONS, fits

JOURNEYS = "/api/journeys/instances/"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return people_api(database)


@pytest.fixture
def hospital(database: Database) -> UUID:
    found: UUID = a_hospital(database, name="AlHammadi Hospital")["id"]
    return found


@pytest.fixture
def token(database: Database, hospital: UUID) -> str:
    return person_token(a_user(database, hospital, level=50))


def path(id_: object, more: str = "") -> str:
    return f"{JOURNEYS}{id_}/{more}"


def made(database: Database, hospital: UUID, *args: Any, **columns: Any) -> UUID:
    with database.transaction() as connection:
        return a_journey(connection, hospital, *args, **columns)


def patient(database: Database, hospital: UUID, **columns: Any) -> UUID:
    with database.transaction() as connection:
        return a_patient(connection, hospital, **columns)


def merged(database: Database, prior: UUID, survivor: UUID) -> None:
    with database.transaction() as connection:
        connection.execute(update(PatientRow).where(PatientRow.id == prior).values(merged_into=survivor))


def listed(app: ASGIApp, token: str, **asked: Any) -> list[UUID]:
    answer = fits(OPERATIONS["list_journeys"], ask(app, "GET", JOURNEYS, token=token, params=asked))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert len(found["results"]) == found["count"] or "page_size" in asked
    return [UUID(each["id"]) for each in found["results"]]


def trail(database: Database) -> list[Any]:
    query = "SELECT action, object_type, object_id, hospital_id FROM audit_event ORDER BY at, id"
    with database.statements() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_journey_shows_its_names_its_patient_and_how_far_it_is(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    ward = a_department(database, hospital, name="Outpatients")["id"]
    doctor = a_physician(database, hospital, first_name="Ahmed", last_name="Al-Saud")["id"]
    who = patient(database, hospital, mrn="MRN1", first_name="Mohammed", last_name="Ali")
    with database.transaction() as connection:
        template = a_template(connection, hospital, name="Standard OPD Journey")
    one = made(
        *(database, hospital, template),
        completed=2,
        patient_id=who,
        department_id=ward,
        physician_id=doctor,
        details={"admission_type": "scheduled"},
        encounter_id="ENC1",
        started_at=START,
    )
    answer = fits(OPERATIONS["get_journey"], ask(app, "GET", path(one), token=token))
    shown = answer.json()
    assert (answer.headers["ETag"], shown["id"], shown["encounter_id"]) == ('"1"', str(one), "ENC1")
    assert (shown["hospital"], shown["hospital_name"]) == (str(hospital), "AlHammadi Hospital")
    assert (shown["department"], shown["department_name"]) == (str(ward), "Outpatients")
    assert (shown["physician"], shown["physician_name"]) == (str(doctor), "Ahmed Al-Saud")
    assert (shown["journey_template"], shown["journey_template_name"]) == (
        *(str(template), "Standard OPD Journey"),
    )
    assert (shown["patient"], shown["patient_mrn"], shown["patient_name"]) == (
        *(str(who), "MRN1", "Mohammed Ali"),
    )
    assert (shown["completion_percentage"], shown["is_complete"]) == (40, False)
    assert shown["metadata"] == {"admission_type": "scheduled"}
    (row,) = ask(app, "GET", JOURNEYS, token=token).json()["results"]
    assert row == shown
    assert trail(database) == [("look", "patient", who, hospital), ("look", "patient", None, hospital)]


def test_the_progress_has_the_fields_of_the_contract(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    who = patient(database, hospital, first_name="Mohammed", last_name="Ali")
    stages = {"MD": "OPD_VISIT_COMPLETED", "LAB": "LAB_ORDER_COMPLETED", "RX": "PHARMACY_DISPENSED"}
    with database.transaction() as connection:
        template = a_template(connection, hospital, stages)
    one = made(database, hospital, template, completed=1, patient_id=who, started_at=START, encounter_id="E1")
    shown = fits(
        OPERATIONS["get_journey_progress"], ask(app, "GET", path(one, "progress/"), token=token)
    ).json()
    first, *others = shown.pop("stages")
    assert shown == {
        "journey_id": str(one),
        "encounter_id": "E1",
        "patient": "Mohammed Ali",
        "journey_type": "opd",
        "status": "active",
        "completion_percentage": 33,
        "is_complete": False,
        "started_at": "2026-03-01T09:00:00.000Z",
        "completed_at": None,
    }
    assert first.pop("completed_at") is not None
    assert first == {"name": "Stage MD", "order": 1, "status": "completed", "survey_sent": False}
    assert others == [
        {"name": name, "order": order, "status": "pending", "completed_at": None, "survey_sent": False}
        for order, name in ((2, "Stage LAB"), (3, "Stage RX"))
    ]
    assert trail(database) == [("look", "patient", who, hospital)]


def test_lists_are_narrowed_down_and_sorted(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    with database.transaction() as connection:
        template = a_template(connection, hospital, journey_type="inpatient")
    who = patient(database, hospital)
    first = made(database, hospital, started_at=START, patient_id=who)
    second = made(
        *(database, hospital, template),
        journey_type="inpatient",
        status="completed",
        started_at=START + timedelta(hours=2),
    )
    third = made(database, hospital, status="cancelled", started_at=START + timedelta(hours=1))
    assert listed(app, token) == [second, third, first]
    assert listed(app, token, ordering="started_at") == [first, third, second]
    assert listed(app, token, ordering="status") == [first, third, second]
    assert listed(app, token, ordering="-status") == [second, third, first]
    assert listed(app, token, journey_template=str(template)) == [second]
    assert listed(app, token, journey_template__journey_type="inpatient") == [second]
    assert listed(app, token, journey_template__journey_type="opd") == [third, first]
    assert listed(app, token, patient=str(who)) == [first]
    assert listed(app, token, patient=str(uuid4())) == []
    assert listed(app, token, hospital=str(hospital), status="cancelled") == [third]
    assert listed(app, token, page=2, page_size=2) == [first]
    for wrong in (
        *({"ordering": "encounter_id"}, {"status": "open"}, {"colour": "red"}, {"patient": "x" * 36}),
        {"journey_template__journey_type": "other"},
    ):
        answer = ask(app, "GET", JOURNEYS, token=token, params=wrong)
        assert (answer.status_code, set(answer.json())) == (400, set(wrong)), answer.text


@pytest.mark.parametrize(
    "search", ["ENC-7", "enc-7", "OLD-7", "MRN7", "CARD 7", "mohammed", "moh al", "محمد", " ENC-7 "]
)
def test_an_encounter_and_what_its_patient_is_called_find_a_journey(
    app: ASGIApp, database: Database, hospital: UUID, token: str, search: str
) -> None:
    who = patient(
        database, hospital, mrn="MRN7", first_name="Mohammed", last_name="Ali", first_name_ar="محمد"
    )
    with database.transaction() as connection:
        number = {"patient_id": who, "authority": "A", "type": "card", "value": "CARD7", "created_at": START}
        connection.execute(PatientIdentifierRow.__table__.insert().values(**number))
    one = made(database, hospital, patient_id=who, encounter_id="ENC-7", aliases=("OLD-7",))
    made(database, hospital, patient_id=patient(database, hospital, first_name="Sara"), encounter_id="ENC-71")
    assert listed(app, token, search=search) == [one]
    assert listed(app, token, search=search, status="completed") == []


@pytest.mark.parametrize("search", ["zzz", "ENC", "ali moh zzz", "-", "'", "%", "a:* & b", "@"])
def test_what_fits_no_journey_finds_none(
    app: ASGIApp, database: Database, hospital: UUID, token: str, search: str
) -> None:
    made(database, hospital, patient_id=patient(database, hospital, last_name="Ali"), encounter_id="ENC-7")
    assert listed(app, token, search=search) == []


def test_a_name_that_very_many_have_is_found_among_the_first_of_the_list(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    many = """
        INSERT INTO patient (id, created_at, updated_at, hospital_id, first_name, search)
        SELECT gen_random_uuid(), now(), now(), :hospital, 'Mohammed', array_to_tsvector('{mohammed}')
        FROM generate_series(1, 600)
    """
    with database.transaction() as connection:
        connection.execute(text(many), {"hospital": hospital})
    ids = [
        made(database, hospital, patient_id=patient(database, hospital, first_name="Mohammed"), started_at=at)
        for at in (START, START + timedelta(hours=1))
    ]
    made(database, hospital, patient_id=patient(database, hospital, first_name="Sara"))
    assert listed(app, token, search="mohammed") == ids[::-1]
    assert listed(app, token, search="mohammed", ordering="started_at", page=2, page_size=1) == ids[1:]


def test_what_was_merged_is_shown_as_what_it_is_merged_into(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    prior = patient(database, hospital, mrn="OLD", first_name="Mo")
    survivor = patient(database, hospital, mrn="NEW", first_name="Mohammed", last_name="Ali")
    merged(database, prior, survivor)
    one = made(database, hospital, patient_id=prior, encounter_id="E1")
    shown = ask(app, "GET", path(one), token=token).json()
    assert (shown["patient"], shown["patient_mrn"], shown["patient_name"]) == (
        *(str(survivor), "NEW", "Mohammed Ali"),
    )
    for asked in ({"patient": str(prior)}, {"patient": str(survivor)}, {"search": "OLD"}, {"search": "NEW"}):
        assert listed(app, token, **asked) == [one], asked
    assert listed(app, token, search="mohammed ali") == [one]

    other = made(database, hospital, encounter_id="E2", merged_into=one)
    assert listed(app, token) == [one]
    assert listed(app, token, search="E2") == [one]
    for more, id_ in (("", "id"), ("progress/", "journey_id")):
        assert ask(app, "GET", path(other, more), token=token).json()[id_] == str(one)
    assert ask(app, "GET", path(other), token=token).json()["merged_from"] == str(other)
    assert ask(app, "GET", path(one), token=token).json()["merged_from"] is None


def test_what_is_of_another_hospital_or_department_is_not_there(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    ward, elsewhere = a_department(database, hospital)["id"], a_department(database, hospital)["id"]
    below = a_department(database, hospital, parent=str(ward))["id"]
    own = made(database, hospital, department_id=below)
    others = [made(database, hospital, department_id=elsewhere), made(database, hospital)]
    foreign = made(database, a_hospital(database)["id"])
    manager = person_token(a_user(database, hospital, level=60, department=ward))
    admin = person_token(a_user(database, level=100))
    assert set(listed(app, admin)) == {own, *others, foreign}
    assert set(listed(app, token)) == {own, *others}
    assert listed(app, manager) == [own]
    for who, id_ in ((token, foreign), (manager, others[0]), (manager, others[1])):
        for more in ("", "progress/"):
            assert ask(app, "GET", path(id_, more), token=who).status_code == 404
    nurse = person_token(a_user(database, hospital, level=30))
    assert ask(app, "GET", JOURNEYS, token=nurse).status_code == 403
    assert ask(app, "GET", path("nothing"), token=token).status_code in (400, 404)


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


@pytest.mark.parametrize("asked", [{}, {"search": "Last"}], ids=["list", "search"])
def test_a_longer_page_takes_no_more_statements(
    app: ASGIApp, database: Database, hospital: UUID, token: str, asked: dict[str, str]
) -> None:
    for _ in range(6):
        made(database, hospital, patient_id=patient(database, hospital))
    numbers = []
    for size in (1, 6):
        with counted(database) as seen:
            found = ask(app, "GET", JOURNEYS, token=token, params={"page_size": size, **asked}).json()
        assert (len(found["results"]), found["count"]) == (size, 6)
        numbers.append(len(seen))
    assert numbers[0] == numbers[1] <= 12
