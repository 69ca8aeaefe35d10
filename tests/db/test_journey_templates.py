"""Templates of journeys: their versions, and what two do at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, true

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import InvalidFields
from dhos_connector_api.px.journeys import stage_changes, template_changes, version_store
from dhos_connector_api.px.journeys.template import JourneyType, Version
from tests.builders.journey_templates import stage_body, template_body
from tests.builders.organizations import a_hospital
from tests.builders.rows import later


@pytest.fixture
def hospital(database: Database) -> UUID:
    found: UUID = a_hospital(database)["id"]
    return found


def made(database: Database, hospital: UUID, **fields: Any) -> UUID:
    """A stored template."""
    at = later()
    with database.transaction() as connection:
        body = template_body(hospital, journey_type="opd", **fields)
        found: UUID = template_changes.create(connection, clock.new_uuid(at), body, at=at).row["id"]
        return found


def staged(database: Database, template: UUID, **fields: Any) -> UUID:
    """A stored stage of it."""
    at = later()
    with database.transaction() as connection:
        body = stage_body(template, **fields)
        done = stage_changes.create(connection, clock.new_uuid(at), body, seen=true(), at=at)
        found: UUID = done.row["id"]
        return found


def changed(database: Database, use_case: Any, id_: UUID, **fields: Any) -> None:
    with database.transaction() as connection:
        use_case.change(connection, id_, fields, whole=False, seen=true(), version=None, at=later())


def numbers(database: Database, template: UUID) -> list[int]:
    query = "SELECT number FROM journey_template_version WHERE journey_template_id = :id ORDER BY 1"
    with database.statements() as connection:
        return list(connection.execute(text(query), {"id": template}).scalars())


def newest(database: Database, hospital: UUID) -> Version:
    kind = (hospital, JourneyType.OPD)
    with database.statements() as connection:
        return version_store.defaults(connection, [kind])[kind]


def test_each_change_of_what_it_says_is_a_version_and_no_other_is(database: Database, hospital: UUID) -> None:
    template = made(database, hospital, is_default=True)
    assert (numbers(database, template), newest(database, hospital).stages) == ([1], ())
    stage = staged(database, template, order=2, trigger_event_code=" A | b|A|")
    staged(database, template, order=1, code="EARLY")
    assert newest(database, hospital).stages[0].code == "EARLY"
    assert newest(database, hospital).stages[1].trigger == "A|b"
    changed(database, template_changes, template, name="New")
    changed(database, stage_changes, stage, requires_physician=True)
    assert (numbers(database, template), newest(database, hospital).name) == ([1, 2, 3, 4, 5], "New")
    assert newest(database, hospital).stages[1].requires_physician
    changed(database, template_changes, template, name="New")
    changed(database, template_changes, template, description="for people")
    changed(database, stage_changes, stage, requires_physician=True)
    assert numbers(database, template) == [1, 2, 3, 4, 5]
    changed(database, stage_changes, stage, is_active=False)
    changed(database, stage_changes, stage, name="Nobody sees it")
    assert (numbers(database, template)[-1], len(newest(database, hospital).stages)) == (6, 1)


def test_a_version_that_was_given_out_never_changes(database: Database, hospital: UUID) -> None:
    template = made(database, hospital, is_default=True, name="Old")
    before = newest(database, hospital)
    changed(database, template_changes, template, name="New")
    with database.statements() as connection:
        assert version_store.get(connection, [before.id]) == {before.id: before}


def test_stages_made_at_once_are_all_in_the_last_version(database: Database, hospital: UUID) -> None:
    template = made(database, hospital, is_default=True)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: staged(database, template, code=f"S{number}"), range(12)))
    assert numbers(database, template) == list(range(1, 14))
    assert {each.code for each in newest(database, hospital).stages} == {f"S{n}" for n in range(12)}


def test_of_templates_made_default_at_once_one_is(database: Database, hospital: UUID) -> None:
    def attempt(_number: int) -> UUID | dict[str, Any]:
        try:
            return made(database, hospital, is_default=True)
        except InvalidFields as error:
            return dict(error.details)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(attempt, range(8)))
    first = [each for each in found if isinstance(each, UUID)]
    assert len(first) == 1
    refused = [each for each in found if isinstance(each, dict)]
    assert all(list(each) == ["is_default"] and str(first[0]) in each["is_default"][0] for each in refused)


def test_names_and_codes_are_there_once(database: Database, hospital: UUID) -> None:
    template = made(database, hospital, name="One")
    staged(database, template, code="A")
    with pytest.raises(InvalidFields) as refusal:
        made(database, hospital, name=" One ")
    assert list(refusal.value.details) == ["name"]
    with pytest.raises(InvalidFields) as refusal:
        staged(database, template, code="A")
    assert list(refusal.value.details) == ["code"]
    staged(database, made(database, hospital), code="A")
    made(database, a_hospital(database)["id"], name="One")
