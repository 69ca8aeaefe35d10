"""HIS patient data over HTTP: answers, refusals with their bodies kept, and never a 5xx."""

import random
from dataclasses import replace
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.site.model import His, RateLimits, Site
from tests.builders.api import a_key, api, ask, internal
from tests.builders.his import INTAKE, MAIN, NORTH, SITE, WRITE_HIS, payload, raw_of, stay, visit

PATH, ALIAS = "/api/integrations/his-patient-data/", "/api/simulator/his-patient-data/"
JSON = {"Content-Type": "application/json"}
#: Limits are the subject of other tests.
_UNLIMITED = {"*": RateLimits(events_per_hour=1_000_000, requests_per_minute=1_000_000)}
UNLIMITED = replace(INTAKE, site=Site(his=replace(SITE.his, rate_limits=_UNLIMITED)))


def app_with(database: Database, **changes: Any) -> ASGIApp:
    return api(database, changes={"intake": lambda: UNLIMITED} | changes)


@pytest.fixture(scope="module")
def one_app(_session_database: Database) -> ASGIApp:
    return app_with(_session_database)


@pytest.fixture
def app(one_app: ASGIApp, database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return one_app


def post(app: ASGIApp, body: Any, path: str = PATH) -> Response:
    raw = body if isinstance(body, bytes) else raw_of(body)
    return ask(app, "POST", path, token=internal(WRITE_HIS), content=raw, headers=JSON)


def kept(database: Database) -> list[tuple[str, bytes]]:
    """State and bytes of every message."""
    query = "SELECT m.state, b.received FROM message m JOIN message_body b ON b.message_uuid = m.uuid"
    with database.statements() as connection:
        rows = connection.execute(text(query)).all()
    return [(state, bytes(received)) for state, received in rows]


@pytest.mark.parametrize("path", [PATH, ALIAS])
def test_a_patient_is_answered_with_what_is_known_of_the_stay(app: ASGIApp, path: str) -> None:
    entry = stay(PatientID=878943, AdmissionID="712206", PatientName="Mrs. سارة مثال")
    response = post(app, payload(entry, visits=[visit("Consultation")]), path)
    assert response.status_code == 200
    assert response.json() == {
        "success": True,
        "message": "HIS patient data received",
        "patient_id": "878943",
        "patient_mrn": "878943",
        "patient_name": "سارة مثال",
        "encounter_id": "712206",
        "journey_id": None,
        "completed_stages": ["Consultation"],
        "new_stages": ["Consultation"],
        "survey_triggered": False,
        "journey_status": None,
    }


def test_several_patients_have_a_result_each(app: ASGIApp) -> None:
    good, bad = stay(), stay(AdmitDate="CANARY")
    answer = post(app, payload(good, bad, visits=[])).json()
    assert (answer["success"], answer["message"]) == (False, "1 of 2 patients received")
    first, second = answer["results"]
    assert (first["success"], first["patient_id"]) == (True, good["PatientID"])
    assert second == {
        "success": False,
        "patient_id": bad["PatientID"],
        "error": "Invalid HIS data format",
        "details": {"FetchPatientDataTimeStampList[1].AdmitDate": ["must look like 05-Jun-2025 11:06"]},
    }


def test_visits_that_name_nobody_among_several_patients_are_a_400(app: ASGIApp, database: Database) -> None:
    response = post(app, payload(stay(), stay(), visits=[visit()]))
    assert response.status_code == 400
    assert response.json()["error"] == "Invalid HIS data format"
    assert [state for state, _ in kept(database)] == ["refused"]


def test_an_unknown_hospital_is_named(app: ASGIApp) -> None:
    response = post(app, payload(stay(HospitalID="9", HospitalName="Elsewhere")))
    assert response.status_code == 400
    assert response.json() == {
        "error": "Hospital with code '9' not found",
        "details": {
            "FetchPatientDataTimeStampList[0].HospitalID": ["is no hospital of the site's configuration"]
        },
    }


BAD = [
    (b"", "unparseable", {"body": ["is not JSON"]}),
    (b"{", "unparseable", {"body": ["is not JSON"]}),
    (b"\xff\x00", "unparseable", {"body": ["is not UTF-8"]}),
    (b'{"a": 1, "a": 2}', "unparseable", {"body": ["has an object with the same name twice"]}),
    (b'{"Code": "\\u0000"}', "unparseable", {"body": ["holds a NUL or half a surrogate pair"]}),
    (b"[" * 100_000, "unparseable", {"body": ["is nested deeper than 64 levels"]}),
    (b"[]", "refused", {"body": ["must be an object"]}),
    (
        b"{}",
        "refused",
        {
            "FetchPatientDataTimeStampList": ["is missing"],
            "Code": ["is missing"],
            "Status": ["is missing"],
        },
    ),
    (
        raw_of(payload(stay(PatientID=["CANARY"], AdmitDate=5), visits=[{"Type": "CANARY"}])),
        "refused",
        {
            "FetchPatientDataTimeStampList[0].PatientID": ["must be a text or a whole number"],
            "FetchPatientDataTimeStampList[0].AdmitDate": ["must be a text"],
            "FetchPatientDataTimeStampVisitDataList[0].BillDate": ["is missing"],
        },
    ),
]


@pytest.mark.parametrize(("raw", "state", "details"), BAD)
def test_what_does_not_fit_is_a_400_by_field_and_the_body_is_kept(
    app: ASGIApp, database: Database, raw: bytes, state: str, details: dict[str, list[str]]
) -> None:
    response = post(app, raw)
    assert response.status_code == 400
    assert response.json() == {"error": "Invalid HIS data format", "details": details}
    assert "CANARY" not in response.text
    assert kept(database) == [(state, raw)]


def test_known_bytes_are_answered_like_any_other(app: ASGIApp) -> None:
    value = payload()
    first, again = post(app, value).json(), post(app, value, ALIAS).json()
    assert again == first | {"new_stages": []}


def test_a_key_of_the_his_is_as_good_as_a_token_and_one_of_another_source_is_not(
    app: ASGIApp, database: Database
) -> None:
    for source, status in (("his", 200), ("HIS", 200), ("lis", 403)):
        headers = JSON | {"X-API-Key": a_key(database, source)}
        response = ask(app, "POST", PATH, content=raw_of(payload()), headers=headers)
        assert response.status_code == status, response.text
    with database.statements() as connection:
        callers = connection.execute(text("SELECT created_by FROM message ORDER BY uuid")).scalars().all()
    assert [each.partition(" (")[0] for each in callers] == ["his", "HIS"]


def test_without_the_database_nothing_is_answered_as_kept() -> None:
    response = ask(
        api(changes={"intake": lambda: UNLIMITED}), "POST", PATH, token=internal(WRITE_HIS), json=payload()
    )
    assert (response.status_code, set(response.json())) == (503, {"error", "details"})


def test_a_body_that_takes_long_to_read_is_still_answered(app: ASGIApp) -> None:
    entries = [stay(PatientID=f"P{number % 7}") for number in range(900)]
    visits = [visit(PatientID="P1") for _ in range(5000)]
    assert post(app, payload(*entries, visits=visits)).status_code == 400
    many = [visit(f"Type {number}", BillDate="05-Jun-2025 11:06") for number in range(5000)]
    assert post(app, payload(stay(), visits=many)).status_code == 400
    assert post(app, payload(stay(), visits=many[:1000])).status_code == 200


ODD = [None, "", " ", "\u0001", "x" * 200, -1, 10**17, 1.5, 1e308, True, [], {}, ["x"], {"x": 1}]


def mutated(numbers: random.Random) -> bytes:
    """A payload with something wrong somewhere: a value of another type, a bit, a cut."""
    stays, visits = [stay(), stay()][: numbers.randint(1, 2)], [visit(), visit(PatientID="P1")]
    value = payload(*stays, visits=visits)
    target = numbers.choice([value, *stays, *visits])
    name = numbers.choice(list(target))
    target[name] = numbers.choice(ODD)
    if numbers.random() < 0.2:
        del target[name]
    raw = bytearray(raw_of(value))
    if numbers.random() < 0.5:
        raw[numbers.randrange(len(raw))] ^= 1 << numbers.randrange(8)
    if numbers.random() < 0.2:
        del raw[numbers.randrange(len(raw)) :]
    return bytes(raw)


def test_whatever_is_sent_is_answered_and_kept(app: ASGIApp, database: Database) -> None:
    numbers = random.Random(7)
    bodies = {mutated(numbers) for _ in range(400)}
    statuses = [post(app, raw).status_code for raw in bodies]
    assert set(statuses) == {200, 400}
    assert {raw for _, raw in kept(database)} == bodies
    assert [state for state, _ in kept(database)].count("accepted") == statuses.count(200)


def test_hospitals_of_the_site_now_are_what_counts(database: Database) -> None:
    site = [Site()]
    app = app_with(database, intake=lambda: replace(INTAKE, site=site[0]))
    value = payload()
    assert post(app, value).status_code == 400
    site[0] = Site(his=His(hospitals=(MAIN, NORTH)))
    assert post(app, value).status_code == 200


def test_a_fault_of_ours_loses_no_body(database: Database) -> None:
    broken = Site(his=His(hospitals=(replace(MAIN, time_zone="Nowhere/At_all"),)))
    app = app_with(database, intake=lambda: replace(INTAKE, site=broken))
    value = payload()
    response = post(app, value)
    assert (response.status_code, set(response.json())) == (500, {"error", "details"})
    assert kept(database) == [("refused", raw_of(value))]
    with database.statements() as connection:
        (uuid,) = connection.execute(text("SELECT uuid FROM message")).scalars()
    assert not replay(database, uuid, replace(INTAKE, site=broken), by="test").accepted_now
    assert replay(database, uuid, INTAKE, by="test").accepted_now
    assert [state for state, _ in kept(database)] == ["accepted"]
