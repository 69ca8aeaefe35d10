"""Stages of journeys over HTTP: lists and filters, one stage, who sees which."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.journeys.models import JourneyInstanceRow
from tests.builders.api import ask
from tests.builders.journey_rows import a_journey
from tests.builders.journey_templates import a_template, stage_ids
from tests.builders.organizations import a_department, a_hospital, a_user
from tests.builders.people import people_api, person_token
from tests.rigs.answers import OPERATIONS, fits

STAGES = "/api/journeys/stage-instances/"


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return people_api(database)


@pytest.fixture
def hospital(database: Database) -> UUID:
    found: UUID = a_hospital(database)["id"]
    return found


@pytest.fixture
def token(database: Database, hospital: UUID) -> str:
    return person_token(a_user(database, hospital, level=50))


def made(database: Database, hospital: UUID, *args: Any, **columns: Any) -> UUID:
    with database.transaction() as connection:
        return a_journey(connection, hospital, *args, **columns)


def listed(app: ASGIApp, token: str, **asked: Any) -> list[dict[str, Any]]:
    answer = fits(OPERATIONS["list_journey_stages"], ask(app, "GET", STAGES, token=token, params=asked))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_stages_are_listed_by_journey_template_and_status(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    with database.transaction() as connection:
        template = a_template(connection, hospital, {"MD": "VISIT", "LAB": "LAB_DONE"})
        stages = stage_ids(connection, template)
    one = made(database, hospital, template, completed=1, encounter_id="E1")
    two = made(database, hospital, template)
    assert [
        (each["code"], each["order"], each["status"]) for each in listed(app, token, journey_instance=one)
    ] == [
        ("MD", 1, "completed"),
        ("LAB", 2, "pending"),
    ]
    of_lab = listed(app, token, stage_template=stages["LAB"])
    assert [each["journey_instance"] for each in of_lab] == [str(two), str(one)]
    done = listed(app, token, status="completed")
    assert [(each["journey_instance"], each["encounter_id"]) for each in done] == [(str(one), "E1")]
    assert len(listed(app, token, page_size=3)) == 3
    (first,) = listed(app, token, journey_instance=one, status="completed")
    answer = fits(OPERATIONS["get_journey_stage"], ask(app, "GET", f"{STAGES}{first['id']}/", token=token))
    assert answer.json() == first
    for wrong in ({"status": "open"}, {"journey_instance": "x" * 36}, {"ordering": "name"}):
        answer = ask(app, "GET", STAGES, token=token, params=wrong)
        assert (answer.status_code, set(answer.json())) == (400, set(wrong))


def test_stages_of_a_merged_journey_are_those_of_the_one_it_is_merged_into(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    one, other = made(database, hospital), made(database, hospital)
    with database.transaction() as connection:
        changed = update(JourneyInstanceRow).where(JourneyInstanceRow.id == other).values(merged_into=one)
        connection.execute(changed)
    assert {each["journey_instance"] for each in listed(app, token, journey_instance=other)} == {str(one)}


def test_a_stage_is_there_for_those_who_see_its_journey(
    app: ASGIApp, database: Database, hospital: UUID, token: str
) -> None:
    ward = a_department(database, hospital)["id"]
    own, other = made(database, hospital, department_id=ward), made(database, hospital)
    foreign = made(database, a_hospital(database)["id"])
    manager = person_token(a_user(database, hospital, level=60, department=ward))
    admin = person_token(a_user(database, level=100))
    for who, seen in ((admin, {own, other, foreign}), (token, {own, other}), (manager, {own})):
        found = listed(app, who)
        assert {UUID(each["journey_instance"]) for each in found} == seen
    stage = listed(app, admin, journey_instance=other)[0]["id"]
    assert ask(app, "GET", f"{STAGES}{stage}/", token=manager).status_code == 404
    assert ask(app, "GET", f"{STAGES}{stage}/", token=token).status_code == 200
    nurse = person_token(a_user(database, hospital, level=30))
    assert ask(app, "GET", STAGES, token=nurse).status_code == 403
