"""Messages whose events waited are processed once a person's act has applied these, on a real PostgreSQL."""

from typing import Any
from uuid import UUID

from sqlalchemy import text, true

from dhos_connector_api.app.periodic import note_processed
from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.messages import store as messages
from dhos_connector_api.px.journeys import by_person
from dhos_connector_api.px.journeys.evidence import EncounterKey
from dhos_connector_api.px.journeys.opening import By, open_journey
from dhos_connector_api.px.organizations.identity import SHARED, folded
from tests.builders.encounters import HOSPITAL, at, letter
from tests.builders.journey_rows import a_patient
from tests.builders.journey_templates import a_template
from tests.builders.rows import WINDOW, effects, new_message
from tests.rigs.applied_journeys import STAGES, apply, journeys, rows, set_up, visit

PERSON = UUID(int=7)
JOURNEY = EncounterKey(SHARED, HOSPITAL, "V1").journey_id


def _message(database: Database) -> UUID:
    row = new_message()
    with database.transaction() as connection:
        messages.insert(connection, row, effects(row), window=WINDOW)
    return row.uuid


def _marked(database: Database) -> list[Any]:
    """Whether messages are processed, before and after the job that notes it."""
    query = "SELECT is_processed FROM message"
    before = rows(database, query)
    with database.transaction() as connection:
        assert not note_processed(connection, now())
    return [before, rows(database, query)]


def test_what_waited_for_a_journey_that_a_person_opens_is_processed(database: Database) -> None:
    set_up(database)
    apply(database, letter("CONSULTATION", 20, message=_message(database)))
    with database.transaction() as connection:
        template = a_template(connection, HOSPITAL, STAGES, is_default=False)
        body = {
            "encounter_id": "V1",
            "hospital": str(HOSPITAL),
            "journey_template": str(template),
            "patient": str(a_patient(connection, HOSPITAL)),
        }
        assert open_journey(connection, body, By(PERSON, true(), must_place=False), at(60)) == JOURNEY
    assert journeys(database)[0][10] == 1
    assert _marked(database) == [[(False,)], [(True,)]]


def test_what_a_persons_act_applies_beside_it_is_processed(database: Database) -> None:
    set_up(database)
    apply(database, *visit()[:1])
    apply(database, letter("CONSULTATION", 20, facility="Main", message=_message(database)))
    assert rows(database, "SELECT reason FROM evidence WHERE state = 'waiting'") == [("no_hospital",)]
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE hospital SET code = :code WHERE id = :id"), {"code": folded("Main"), "id": HOSPITAL}
        )
        by_person.close(connection, JOURNEY, "left", seen=true(), by=PERSON, at=at(60))
    assert journeys(database)[0][5:7] == ("completed", "person")
    assert _marked(database) == [[(False,)], [(True,)]]
