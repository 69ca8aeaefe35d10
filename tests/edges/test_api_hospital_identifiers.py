"""What sources call a hospital, over HTTP and as commands; feeds that name it so are its own."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.px.organizations import feed_store
from tests.builders.api import ask
from tests.builders.organizations import a_hospital, a_user
from tests.builders.people import person_token, shared_people_api
from tests.rigs.answers import OPERATIONS, fits
from tests.rigs.command_line import run
from tests.rigs.processes import environment

NAME = {"source": "HL7v2", "value": "  ward HOSP "}
STORED = {"source": "hl7v2", "kind": "facility", "value": "ward HOSP"}


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return shared_people_api(database)


@pytest.fixture
def admin(database: Database) -> str:
    return person_token(a_user(database, level=100))


def path(hospital: object, id_: object = None) -> str:
    return f"/api/organizations/hospitals/{hospital}/identifiers/" + (f"{id_}/" if id_ else "")


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.statements() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def meant(database: Database, facility: str) -> UUID | None:
    """The hospital that HL7 means by a facility (folded)."""
    with database.statements() as connection:
        found = feed_store.hospitals(connection, [("hl7v2", facility)])
    return found[("hl7v2", facility)][0] if found else None


def test_a_name_is_stored_listed_and_removed(app: ASGIApp, database: Database, admin: str) -> None:
    hospital, other = (a_hospital(database)["id"] for _ in range(2))
    answer = ask(app, "POST", path(hospital), token=admin, json=NAME)
    made = fits(OPERATIONS["create_hospital_identifier"], answer).json()
    assert (answer.status_code, made) == (201, made | STORED)
    assert meant(database, "ward hosp") == hospital
    more = {"source": "his", "kind": "id", "value": "7"}
    assert ask(app, "POST", path(hospital), token=admin, json=more).status_code == 201

    page = fits(OPERATIONS["list_hospital_identifiers"], ask(app, "GET", path(hospital), token=admin)).json()
    assert (page["count"], page["next"], page["previous"]) == (2, None, None)
    assert [each["value"] for each in page["results"]] == ["7", "ward HOSP"]
    assert page["results"][1] == made
    assert ask(app, "GET", path(other), token=admin).json()["results"] == []

    assert ask(app, "DELETE", path(other, made["id"]), token=admin).status_code == 404
    assert ask(app, "DELETE", path(hospital, made["id"]), token=admin).status_code == 204
    assert ask(app, "DELETE", path(hospital, made["id"]), token=admin).status_code == 404
    assert meant(database, "ward hosp") is None
    assert ask(app, "POST", path(other), token=admin, json=NAME).status_code == 201
    trail = "SELECT action, object_type, object_id = hospital_id, fields FROM audit_event"
    assert rows(database, trail) == [("change", "hospital", True, ["identifiers"])] * 4


@pytest.mark.parametrize("again", ["WARD hosp", "ward\u2003 Hosp", "Ｗard hosp"])
def test_a_name_is_one_hospitals_in_any_spelling(
    app: ASGIApp, database: Database, admin: str, again: str
) -> None:
    own, other = (a_hospital(database)["id"] for _ in range(2))
    assert ask(app, "POST", path(own), token=admin, json=NAME).status_code == 201
    told = set()
    for hospital in (own, other):
        answer = ask(app, "POST", path(hospital), token=admin, json=NAME | {"value": again})
        assert (answer.status_code, set(answer.json())) == (400, {"value"})
        told.add(answer.json()["value"][0])
    assert told == {
        "is what the source calls another hospital",
        "is what the source calls this hospital already",
    }
    for elsewhere in ({"source": "his"}, {"kind": "name"}):
        answer = ask(app, "POST", path(other), token=admin, json=NAME | {"value": again} | elsewhere)
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("field", "given"),
    [
        *(
            ("value", each)
            for each in ("", "  ", "\u00a0\u2003", "x" * 201, "a\x01b", "a\nb", "a\x85b", None, 7)
        ),
        *(("source", each) for each in ("", " his", "his\n", "x" * 65, None)),
        *(("kind", each) for each in ("", "Facility", "code", None)),
    ],
)
def test_what_does_not_fit_is_told_by_field(
    app: ASGIApp, database: Database, admin: str, field: str, given: Any
) -> None:
    hospital = a_hospital(database)["id"]
    answer = ask(app, "POST", path(hospital), token=admin, json=NAME | {field: given})
    assert (answer.status_code, set(answer.json())) == (400, {field})
    assert rows(database, "SELECT 1 FROM hospital_identifier") == []


def test_who_sees_a_hospital_reads_its_names_and_px_admins_alone_write_them(
    app: ASGIApp, database: Database, admin: str
) -> None:
    own, other = (a_hospital(database)["id"] for _ in range(2))
    id_ = ask(app, "POST", path(own), token=admin, json=NAME).json()["id"]
    for level in (80, 10):
        token = person_token(a_user(database, own, level=level))
        assert ask(app, "GET", path(own), token=token).json()["count"] == 1
        assert ask(app, "GET", path(other), token=token).status_code == 404
        assert ask(app, "POST", path(own), token=token, json=NAME).status_code == 403
        assert ask(app, "DELETE", path(own, id_), token=token).status_code == 403
    for nobody in (uuid4(), "none"):
        assert ask(app, "GET", path(nobody), token=admin).status_code == 404
        assert ask(app, "POST", path(nobody), token=admin, json=NAME).status_code == 404
        assert ask(app, "DELETE", path(nobody, id_), token=admin).status_code == 404
    assert ask(app, "DELETE", path(own, "none"), token=admin).status_code == 404
    assert len(rows(database, "SELECT 1 FROM hospital_identifier")) == 1


def test_the_commands_name_a_hospital_and_list_its_names(
    database: Database, address: DatabaseAddress
) -> None:
    environ = environment(address, LOG_LEVEL="ERROR")
    hospital = a_hospital(database, code="H1")["id"]
    a_hospital(database, code="H2")
    done = run(environ, "organizations", "identify", "h1", "--source", "HL7v2", "  ward HOSP ")
    assert (done.returncode, done.stderr) == (0, "")
    assert meant(database, "ward hosp") == hospital
    refused = {
        ("H2", "--source", "hl7v2", "WARD hosp"): "value: is what the source calls another hospital",
        ("H1", "--source", "hl7v2", "WARD hosp"): "value: is what the source calls this hospital already",
        ("H1", "--source", "hl7v2", " "): "value: must not be blank",
        ("H1", "--source", "his\n", "X"): "source: must begin and end",
        ("H9", "--source", "his", "X"): "there is no hospital with that code",
    }
    for arguments, said in refused.items():
        done = run(environ, "organizations", "identify", *arguments)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr
    assert (
        run(environ, "organizations", "identify", "H2", "--source", "his", "--kind", "id", "7").returncode
        == 0
    )

    listed = run(environ, "organizations", "identifiers").stdout.splitlines()
    assert [each.split(maxsplit=3) for each in listed] == [
        ["H1", "hl7v2", "facility", "ward HOSP"],
        ["H2", "his", "id", "7"],
    ]
    assert run(environ, "organizations", "identifiers", "H2").stdout.splitlines() == listed[1:]
    unknown = run(environ, "organizations", "identifiers", "H9")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    trail = "SELECT actor_kind, action, object_type, object_id = hospital_id, fields FROM audit_event"
    assert rows(database, trail) == [("command", "change", "hospital", True, ["identifiers"])] * 2
