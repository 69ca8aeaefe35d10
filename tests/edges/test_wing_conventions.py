"""What every path of the wing keeps: links by PROXY_URL, addresses without their last slash."""

from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.spec.document import Operation
from tests.builders.api import NO_DATABASE, ask
from tests.builders.people import a_department, a_hospital, a_user, people_api, person_token
from tests.rigs.answers import OPERATIONS, fits

WING = [each for each in OPERATIONS.values() if each.is_of_wing]
#: Lists by pages: what takes `page`.
LISTS = [each for each in WING if "page" in {parameter["name"] for parameter in each.parameters}]
PUBLIC = "https://px.hospital.example/connector"


@pytest.fixture(scope="module")
def without_database() -> ASGIApp:
    return people_api(NO_DATABASE)


@pytest.fixture
def asked(database: Database) -> tuple[ASGIApp, str]:
    """The application at a public address below a path, where two of what most lists show are; a PX Admin."""
    with database.transaction() as connection:
        for _ in range(2):
            a_department(connection, a_hospital(connection))
            user = a_user(connection, 100)
    return people_api(database, PROXY_URL=PUBLIC), person_token(user)


def test_links_of_every_list_begin_with_the_public_address(asked: tuple[ASGIApp, str]) -> None:
    app, token = asked
    linked = set()
    for operation in LISTS:
        answer = ask(app, "GET", operation.path, token=token, params={"page_size": 1})
        link = fits(operation, answer).json()["next"]
        if link is not None:
            linked.add(operation.path)
            assert link.startswith(f"{PUBLIC}{operation.path}?"), operation.id
            assert parse_qs(urlsplit(link).query).items() >= {"page": ["2"], "page_size": ["1"]}.items()
            back = ask(app, "GET", link.removeprefix(PUBLIC), token=token).json()["previous"]
            assert back.startswith(f"{PUBLIC}{operation.path}?")
    assert linked >= {f"/api/organizations/{each}/" for each in ("hospitals", "departments")} | {
        "/api/auth/users/"
    }


@pytest.mark.parametrize("operation", WING, ids=lambda each: each.id)
def test_a_path_without_its_last_slash_is_the_same_and_no_redirect(
    without_database: ASGIApp, operation: Operation
) -> None:
    """A redirect would lose the body of a POST in most clients, and show a token to another address."""
    assert operation.path.endswith("/")
    uuid = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"
    path = operation.path
    for each in operation.parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", uuid)
    with_slash, without = (
        ask(without_database, operation.method.upper(), each, json={"x": 1})
        for each in (path, path.rstrip("/"))
    )
    assert with_slash.status_code == without.status_code in (400, 401)
    assert with_slash.json() == without.json()


def test_what_is_no_uuid_is_said_in_the_same_words_everywhere(asked: tuple[ASGIApp, str]) -> None:
    app, token = asked
    me = ask(app, "GET", "/api/auth/users/me/", token=token).json()["id"]
    hospital = ask(app, "GET", "/api/organizations/hospitals/", token=token).json()["results"][0]["id"]
    wrong = "x" * 36
    journey = {"journey_template": wrong, "patient": wrong, "encounter_id": "E1", "hospital": hospital}
    department = {"hospital": hospital, "name": "Ward", "code": "W9", "parent": wrong}
    patient = {"primary_hospital": wrong, "mrn": "M1", "first_name": "A", "last_name": "B"}
    for method, path, sent, fields in (
        ("GET", "/api/journeys/instances/", {"params": {"patient": wrong}}, {"patient"}),
        ("GET", "/api/auth/users/", {"params": {"hospital": wrong}}, {"hospital"}),
        ("POST", "/api/journeys/instances/", {"json": journey}, {"journey_template", "patient"}),
        ("POST", f"/api/auth/users/{me}/assign_role/", {"json": {"role_id": wrong}}, {"role_id"}),
        ("POST", "/api/organizations/departments/", {"json": department}, {"parent"}),
        ("POST", "/api/organizations/patients/", {"json": patient}, {"primary_hospital"}),
    ):
        answer = ask(app, method, path, token=token, **sent)
        assert answer.json() == {each: ["is no UUID"] for each in fields}, (method, path, answer.text)
