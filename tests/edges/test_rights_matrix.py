"""The rights matrix: every operation that persons may ask, by each role, at home and elsewhere.

It is made from the specification (`x-right`) and the table of rights; what it asks for is in
`tests/builders/rights_samples.py`. An operation without a line there fails.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.people.rights import LEVELS, RIGHTS, Reach
from dhos_connector_api.spec.document import Operation
from tests.builders.api import ask, internal
from tests.builders.people import deactivated, person_token
from tests.builders.rights_samples import LINES
from tests.rigs.answers import OPERATIONS
from tests.rigs.rights_world import World, of_examples

ASKED = [each for each in OPERATIONS.values() if each.right is not None]
OF_WING = [each for each in ASKED if each.is_of_wing]
#: The connector's own operations, which know no hospitals.
OTHERS = [each for each in ASKED if not each.is_of_wing]
#: Where an object is: by it, and whether a reach goes there.
REACHED = {
    "own department": {Reach.DEPARTMENT, Reach.HOSPITAL, Reach.ALL, Reach.OWN},
    "department below": {Reach.DEPARTMENT, Reach.HOSPITAL, Reach.ALL, Reach.OWN},
    "other department": {Reach.HOSPITAL, Reach.ALL, Reach.OWN},
    "other hospital": {Reach.ALL, Reach.OWN},
}


@pytest.fixture(scope="module")
def world(_session_database: Database) -> World:
    """Whoever asks, asks one application and one database."""
    return World(_session_database)


def test_every_operation_has_its_line() -> None:
    assert {each.tag for each in OF_WING} <= set(LINES)
    missing = [
        each.id
        for each in OF_WING
        if "requestBody" in each.definition and each.id not in LINES[each.tag].bodies
    ]
    assert missing == []


def expected(operation: Operation, level: int, place: str, body: Any) -> Iterator[int]:
    """The statuses that may be answered."""
    reach = RIGHTS[operation.right or ""].reach_of(level)
    if reach is None:
        yield 403
    elif reach in REACHED[place]:
        yield from (200, 201, 204)
    else:
        names_hospital = "hospital" in (body or {}) or "primary_hospital" in (body or {})
        if "{" in operation.path:
            yield 404
        if names_hospital or "{" not in operation.path:
            yield 400


def cells(operation: Operation, share: int) -> Iterator[tuple[int, str]]:
    """Each role with one place of so many, in turns: all roles, and with the next ones all places."""
    first = OF_WING.index(operation)
    for role, level in enumerate(LEVELS):
        for number, name in enumerate(REACHED):
            if (first + role + number) % share == 0:
                yield level, name


@pytest.mark.parametrize("share", [2, pytest.param(1, marks=pytest.mark.slow)], ids=["half", "all"])
@pytest.mark.parametrize("operation", OF_WING, ids=lambda each: each.id)
def test_each_role_may_do_there_what_the_table_says(world: World, operation: Operation, share: int) -> None:
    is_list = "PAGE" in {each["name"].upper() for each in operation.parameters}
    for level, name in cells(operation, share):
        place = world.places[name]
        token = person_token(world.asker(operation, level))
        made, body = world.prepared(operation, place)
        said = f"{operation.id}, level {level}, {name}"
        if is_list:
            reach = RIGHTS[operation.right or ""].reach_of(level)
            if reach is not None:
                assert world.listed(operation, made, token) is (reach in REACHED[name]), said
                continue
        answer = world.ask(operation, made, body, token)
        assert answer.status_code in set(expected(operation, level, name, body)), said


def bad_tokens(world: World) -> dict[str, str | None]:
    """Tokens that open nothing, by what is wrong with them."""
    admin = world.persons[100]
    with world.database.transaction() as connection:
        gone = deactivated(connection, world.person(connection, 100))
    return {
        "none": None,
        "deactivated": person_token(gone),
        "expired": person_token(admin, lifetime=-60),
        "another generation": person_token(admin, generation=2),
        "wrong issuer": internal("px"),
        "wrong key": person_token(admin, key="z" * 80),
    }


def test_a_token_that_is_not_good_now_opens_nothing(world: World) -> None:
    for operation in OF_WING:
        for name, token in bad_tokens(world).items():
            answer = world.ask(operation, UUID(int=1), {}, token)
            assert answer.status_code == 401, f"{operation.id}, {name}"
    for operation in OTHERS:
        for name, token in bad_tokens(world).items():
            status = ask(world.app, **of_examples(operation), token=token).status_code
            assert status == (403 if name == "wrong issuer" else 401), f"{operation.id}, {name}"


@pytest.mark.parametrize("operation", OTHERS, ids=lambda each: each.id)
def test_what_is_the_connectors_own_is_for_px_admins(world: World, operation: Operation) -> None:
    for level, person in world.persons.items():
        answer = ask(world.app, **of_examples(operation), token=person_token(person))
        assert (answer.status_code == 403) is (level < 100)
        assert answer.status_code not in (401, 500)


def test_the_connectors_own_operations_are_those_of_these_tags() -> None:
    tags = {"api_keys", "deliveries", "events", "mappings", "messages"}
    assert {each.id for each in OTHERS} == {each.id for each in OPERATIONS.values() if each.tag in tags}
    assert {each.right for each in OTHERS} == {"integrations"}


def test_who_has_no_role_may_see_himself_and_nothing_else(world: World) -> None:
    for operation in OF_WING:
        with world.database.transaction() as connection:
            token = person_token(world.person(connection))
        made, body = world.prepared(operation, world.home)
        answer = world.ask(operation, made, body, token)
        assert (answer.status_code == 403) is (operation.right != "self"), operation.id
