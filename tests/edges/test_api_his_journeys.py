"""HIS payloads over HTTP, and the journeys they are answered with."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from sqlalchemy import text, true
from starlette.types import ASGIApp

from dhos_connector_api import clock
from dhos_connector_api.app import consuming
from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.journeys import by_person
from dhos_connector_api.px.journeys.evidence import STAGE_COMPLETED
from tests.builders.api import api, ask, internal
from tests.builders.encounters import a_hospital
from tests.builders.his import INTAKE, MAIN, WRITE_HIS, payload, raw_of, stay, visit
from tests.builders.journey_templates import HIS_TRIGGERS, a_template
from tests.builders.rows import settings
from tests.rigs.waiting import eventually

PATH = "/api/simulator/his-patient-data/"


def _post(app: ASGIApp, body: Any, query: str = "") -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    answer = ask(app, "POST", PATH + query, token=internal(WRITE_HIS), content=raw_of(body), headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _consume(database: Database) -> None:
    """Give every envelope of the outbox to the consumers, as the relay does where no RabbitMQ is set."""
    with database.statements() as connection:
        rows = connection.execute(
            text("SELECT id, routing_key, correlation_id, body FROM outbox ORDER BY position")
        )
        letters = [Letter(str(row.id), row.routing_key, row.correlation_id, bytes(row.body)) for row in rows]
    for each in consuming.readers(settings(), database):
        each.take(letters)


def _set_up(database: Database, stages: Mapping[str, str] = HIS_TRIGGERS) -> None:
    with database.transaction() as connection:
        a_template(connection, a_hospital(connection, code="H7", his=MAIN.code), stages, journey_type="opd")


def test_a_journey_is_pending_until_it_is_opened_and_then_as_it_is(database: Database) -> None:
    _set_up(database)
    app = api(database, changes={"intake": lambda: INTAKE})
    entry = stay(DischargeDate=None)
    first = _post(app, payload(entry, visits=[visit("Consultation"), visit("Unheard Of")]))
    assert (first["journey_status"], first["survey_triggered"]) == ("pending", False)
    _consume(database)
    second = _post(app, payload(entry, visits=[visit("Consultation"), visit("Prescribed Drugs")]))
    assert second["journey_id"] == first["journey_id"]
    assert (second["journey_status"], second["completed_stages"]) == ("active", ["Consultation"])
    _consume(database)
    third = _post(app, payload(entry, visits=[visit("Consultation"), visit("Prescribed Drugs")]))
    assert third["completed_stages"] == ["Consultation", "Prescribed Drugs"]


def test_who_waits_is_answered_with_what_the_events_did(database: Database) -> None:
    _set_up(database)
    app = api(database, changes={"intake": lambda: INTAKE})

    def consume() -> None:
        def sent() -> bool:
            with database.statements() as connection:
                return bool(connection.execute(text("SELECT count(*) FROM outbox")).scalar())

        eventually(sent)
        _consume(database)

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(consume)
        answer = _post(app, payload(stay(DischargeDate=None), visits=[visit("Consultation")]), "?wait=5")
        done.result()
    assert (answer["journey_status"], answer["completed_stages"]) == ("active", ["Consultation"])


def test_who_waits_in_vain_is_answered_in_time(database: Database) -> None:
    _set_up(database)
    app = api(database, changes={"intake": lambda: INTAKE})
    assert _post(app, payload(stay(), visits=[visit()]), "?wait=1")["journey_status"] == "pending"


def test_a_hospital_that_is_no_organization_has_no_journeys(database: Database) -> None:
    app = api(database, changes={"intake": lambda: INTAKE})
    answer = _post(app, payload(stay(), visits=[visit()]))
    assert (answer["journey_id"], answer["journey_status"]) == (None, None)
    assert answer["completed_stages"] == ["Consultation"]


def test_a_stage_that_a_person_completed_is_answered_as_the_visit_it_waits_for(database: Database) -> None:
    _set_up(database, {"MD": "Consultation", "VISIT": "Doctor Visited| MD_VISIT"})
    app = api(database, changes={"intake": lambda: INTAKE})
    told = payload(stay(DischargeDate=None), visits=[visit("Consultation"), visit("Unheard Of")])
    _post(app, told)
    _consume(database)
    by: dict[str, Any] = {"seen": true(), "by": UUID(int=1), "at": clock.now()}
    with database.transaction() as connection:
        stage = connection.execute(text("SELECT id FROM stage_instance WHERE code = 'VISIT'")).scalar_one()
        by_person.settle(connection, stage, STAGE_COMPLETED, "It took place", **by)
    answer = _post(app, told)
    assert (answer["journey_status"], answer["completed_stages"]) == (
        "completed",
        ["Consultation", "Doctor Visited"],
    )


def test_a_journey_without_completed_stages_has_none_whatever_visits_are_known(database: Database) -> None:
    _set_up(database, {"LAB": "LAB_ORDER_COMPLETED", "MD": "Consultation"})
    app = api(database, changes={"intake": lambda: INTAKE})
    entry = stay(DischargeDate=None)
    told = payload(entry, visits=[visit("Prescribed Drugs")])
    assert _post(app, told)["completed_stages"] == ["Prescribed Drugs"], (
        "pending: all that is known of the stay"
    )
    _consume(database)
    answer = _post(app, told)
    assert (answer["journey_status"], answer["completed_stages"]) == ("active", [])
    told = payload(entry, visits=[visit("Consultation")])
    _post(app, told)
    _consume(database)
    assert _post(app, told)["completed_stages"] == ["Consultation"]
    by: dict[str, Any] = {"seen": true(), "by": UUID(int=1), "at": clock.now()}
    with database.transaction() as connection:
        journey = connection.execute(text("SELECT id FROM journey_instance")).scalar_one()
        by_person.cancel(connection, journey, None, **by)
    answer = _post(app, told)
    assert (answer["journey_status"], answer["completed_stages"]) == ("cancelled", [])
