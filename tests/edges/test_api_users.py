"""Users over HTTP: made, found, changed, deactivated; roles and passwords; who may do it to whom."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response
from sqlalchemy import event
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from tests.builders.api import ask
from tests.builders.people import (
    PASSWORD,
    a_department,
    a_hospital,
    a_user,
    person_token,
    role_id,
    shared_people_api,
)
from tests.rigs.answers import OPERATIONS, fits

USERS = "/api/auth/users/"
NEW = {"username": "jdoe", "password": PASSWORD, "password_confirm": PASSWORD}


class World:
    """Two hospitals with a department each, and people at the first: an admin (80), a nurse, a PX Admin."""

    def __init__(self, database: Database) -> None:
        self.app: ASGIApp = shared_people_api(database)
        with database.transaction() as connection:
            self.here, self.there = a_hospital(connection), a_hospital(connection)
            self.ward, self.foreign_ward = (
                a_department(connection, each) for each in (self.here, self.there)
            )
            of_here: dict[str, Any] = {"hospital_id": self.here}
            self.root = a_user(connection, 100)
            self.admin = a_user(connection, 80, **of_here)
            self.other_admin = a_user(connection, 80, **of_here)
            self.nurse = a_user(connection, 30, first_name="Zoé", last_name="Müller", **of_here)
            self.stranger = a_user(connection, 30, hospital_id=self.there)
            self.roles = {level: str(role_id(connection, level)) for level in (100, 80, 50, 30)}

    def ask(self, who: UUID, operation: str, path: str, **request: Any) -> Response:
        """Ask an operation as that user; the answer is one that it announces."""
        definition = OPERATIONS[operation]
        answer = ask(self.app, definition.method.upper(), path, token=person_token(who), **request)
        return fits(definition, answer)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_a_user_is_made_shown_changed_and_deactivated(world: World) -> None:
    body = NEW | {
        "email": "JDoe@Hospital.Example.com",
        "department": str(world.ward),
        "phone": "+966501234567",
    }
    made = world.ask(world.admin, "create_user", USERS, json=body)
    assert made.status_code == 201
    user = made.json()
    assert (user["hospital"], user["department"]) == (str(world.here), str(world.ward))
    assert (user["roles"], user["is_active"], made.headers["ETag"]) == ([], True, '"1"')
    path = f"{USERS}{user['id']}/"
    assert world.ask(world.admin, "get_user", path).json() == user
    changed = world.ask(world.admin, "change_user", path, json={"phone": None, "language": "ar"})
    assert (changed.json()["phone"], changed.json()["language"]) == (None, "ar")
    replaced = world.ask(world.admin, "replace_user", path, json={"username": "jdoe"})
    assert replaced.status_code == 200
    assert (replaced.json()["email"], replaced.json()["department"]) == (None, None)
    assert replaced.json()["hospital"] == str(world.here)
    assert world.ask(world.admin, "deactivate_user", path).status_code == 204
    assert world.ask(world.admin, "get_user", path).json()["is_active"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        (NEW | {"password": "short", "password_confirm": "short"}, "password"),
        (NEW | {"password_confirm": "another horse battery"}, "password_confirm"),
        (NEW | {"username": "correct"}, "password"),
        (NEW | {"email": "nobody"}, "email"),
        (NEW | {"hospital": "x"}, "hospital"),
        (NEW | {"hospital": str(uuid4())}, "hospital"),
        (NEW | {"department": str(uuid4())}, "department"),
        (NEW | {"is_superuser": True}, "non_field_errors"),
        (NEW | {"phone": "call me"}, "phone"),
    ],
)
def test_what_does_not_fit_is_said_by_field(world: World, body: dict[str, Any], field: str) -> None:
    answer = world.ask(world.root, "create_user", USERS, json=body)
    assert answer.status_code == 400
    assert field in answer.json()
    assert all(isinstance(each, list) for each in answer.json().values())


def test_names_and_addresses_are_taken_in_any_case(world: World) -> None:
    first = NEW | {"email": "jdoe@hospital.example.com"}
    assert world.ask(world.admin, "create_user", USERS, json=first).status_code == 201
    twice = world.ask(world.root, "create_user", USERS, json=NEW | {"username": "JDOE"})
    assert twice.json() == {"username": ["is taken"]}
    path = f"{USERS}{world.nurse}/"
    taken = world.ask(world.admin, "change_user", path, json={"email": "JDOE@hospital.example.com"})
    assert (taken.status_code, taken.json()) == (400, {"email": ["is taken"]})


def test_beyond_the_hospital_there_is_nobody(world: World) -> None:
    path = f"{USERS}{world.stranger}/"
    assert world.ask(world.admin, "get_user", path).status_code == 404
    assert world.ask(world.admin, "change_user", path, json={"language": "ar"}).status_code == 404
    assert world.ask(world.admin, "deactivate_user", path).status_code == 404
    role = {"role_id": world.roles[30]}
    assert world.ask(world.admin, "assign_role", f"{path}assign_role/", json=role).status_code == 404
    body = NEW | {"hospital": str(world.there)}
    assert set(world.ask(world.admin, "create_user", USERS, json=body).json()) == {"hospital"}
    own = f"{USERS}{world.nurse}/"
    moved = world.ask(world.admin, "change_user", own, json={"hospital": str(world.there)})
    assert moved.status_code == 400
    ward = world.ask(world.admin, "change_user", own, json={"department": str(world.foreign_ward)})
    assert set(ward.json()) == {"department"}


def test_nobody_deals_with_his_own_level_or_one_above(world: World) -> None:
    for who, expected in ((world.other_admin, 403), (world.admin, 403), (world.nurse, 200)):
        path = f"{USERS}{who}/"
        body = {"language": "ar"}
        assert world.ask(world.admin, "change_user", path, json=body).status_code == expected
    for level, expected in ((100, 403), (80, 403), (50, 200)):
        path, body = f"{USERS}{world.nurse}/assign_role/", {"role_id": world.roles[level]}
        assert world.ask(world.admin, "assign_role", path, json=body).status_code == expected
    assert world.ask(world.root, "assign_role", path, json={"role_id": world.roles[100]}).status_code == 200
    path = f"{USERS}{world.nurse}/set_password/"
    body = {"password": PASSWORD, "password_confirm": PASSWORD}
    assert world.ask(world.admin, "set_user_password", path, json=body).status_code == 403


def test_the_last_px_admin_stays(world: World) -> None:
    path = f"{USERS}{world.root}/"
    role = {"role_id": world.roles[100]}
    assert world.ask(world.root, "remove_role", f"{path}remove_role/", json=role).status_code == 409
    assert world.ask(world.root, "deactivate_user", path).status_code == 409
    assert world.ask(world.root, "change_user", path, json={"is_active": False}).status_code == 409
    second = f"{USERS}{world.nurse}/assign_role/"
    assert world.ask(world.root, "assign_role", second, json=role).status_code == 200
    assert world.ask(world.root, "remove_role", f"{path}remove_role/", json=role).status_code == 200
    assert world.ask(world.root, "list_roles", "/api/auth/roles/").status_code == 403


def test_a_role_that_is_taken_counts_no_more(world: World) -> None:
    assert world.ask(world.admin, "list_users", USERS).status_code == 200
    path, body = f"{USERS}{world.admin}/remove_role/", {"role_id": world.roles[80]}
    shown = world.ask(world.root, "remove_role", path, json=body)
    assert shown.json()["roles"] == []
    assert world.ask(world.admin, "list_users", USERS).status_code == 403
    assert world.ask(world.admin, "get_me", f"{USERS}me/").status_code == 200


def test_users_are_found(world: World) -> None:
    def names(**query: Any) -> list[str]:
        answer = world.ask(world.root, "list_users", USERS, params=query)
        assert answer.status_code == 200
        return [each["id"] for each in answer.json()["results"]]

    assert names(search="zoe mul") == names(search="ZOÉ") == [str(world.nurse)]
    assert names(search="oe") == []
    assert names(groups="nurse", hospital=str(world.there)) == [str(world.stranger)]
    assert names(groups=world.roles[100]) == [str(world.root)]
    assert names(is_active="false") == []
    assert names(ordering="-created_at")[0] == str(world.stranger)
    first = world.ask(
        world.root, "list_users", USERS, params={"page_size": 2, "ordering": "created_at"}
    ).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (5, 2, None)
    assert first["next"].startswith("http://platform.test/api/auth/users/?")
    following = world.ask(world.root, "list_users", first["next"].removeprefix("http://platform.test")).json()
    assert following["results"][0]["id"] == str(world.other_admin)
    within = world.ask(world.admin, "list_users", USERS).json()
    assert {each["id"] for each in within["results"]} == {
        str(world.admin),
        str(world.other_admin),
        str(world.nurse),
    }


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?page=2", 404),
        ("?page=0", 400),
        ("?page_size=201", 400),
        ("?ordering=password_hash", 400),
        ("?name=x", 400),
        ("?groups=king", 400),
        ("?hospital=x", 400),
    ],
)
def test_what_a_list_does_not_know_is_refused(world: World, query: str, status: int) -> None:
    answer = world.ask(world.root, "list_users", USERS + query)
    assert answer.status_code == status


def test_of_two_who_change_one_user_the_second_is_told(world: World) -> None:
    path = f"{USERS}{world.nurse}/"
    seen = {"If-Match": world.ask(world.admin, "get_user", path).headers["ETag"]}
    for expected in (200, 412):
        answer = world.ask(world.admin, "change_user", path, json={"language": "ar"}, headers=seen)
        assert answer.status_code == expected
    assert world.ask(world.admin, "deactivate_user", path, headers=seen).status_code == 412
    assert world.ask(world.admin, "deactivate_user", path, headers={"If-Match": "W/x"}).status_code == 412


def test_a_profile_is_ones_own(world: World) -> None:
    body = {"first_name": "John", "language": "ar"}
    mine = world.ask(world.nurse, "update_profile", f"{USERS}update_profile/", json=body)
    assert (mine.json()["first_name"], mine.json()["last_name"]) == ("John", None)
    assert world.ask(world.nurse, "get_me", f"{USERS}me/").json() == mine.json()
    more = world.ask(world.nurse, "update_profile", f"{USERS}update_profile/", json={"username": "root"})
    assert more.status_code == 400


def test_every_page_holds_its_own(world: World) -> None:
    """Pages of the second half are read from the end; every user is on one page, in order."""
    for ordering in ("username", "-username", "created_at", "-created_at"):
        seen: list[str] = []
        for page in (1, 2, 3):
            query = {"page": page, "page_size": 2, "ordering": ordering}
            answer = world.ask(world.root, "list_users", USERS, params=query).json()
            seen += [each["username"] for each in answer["results"]]
        assert len(set(seen)) == len(seen) == 5
        if "username" in ordering:
            assert seen == sorted(seen, reverse=ordering.startswith("-"))


def test_a_list_asks_the_database_as_often_however_long_its_page_is(world: World, database: Database) -> None:
    asked: list[str] = []

    def note(*given: Any) -> None:
        asked.append(given[2])

    event.listen(database.engine, "before_cursor_execute", note)
    counts = set()
    for size in (1, 5):
        asked.clear()
        assert len(world.ask(world.root, "list_users", f"{USERS}?page_size={size}").json()["results"]) == size
        counts.add(len(asked))
    event.remove(database.engine, "before_cursor_execute", note)
    assert len(counts) == 1


def test_an_admin_of_no_hospital_makes_no_user_who_is_of_none(world: World, database: Database) -> None:
    with database.transaction() as connection:
        nowhere = a_user(connection, 80)
    answer = world.ask(nowhere, "create_user", USERS, json=NEW)
    assert (answer.status_code, set(answer.json())) == (400, {"hospital"})
    assert world.ask(world.root, "create_user", USERS, json=NEW).status_code == 201
