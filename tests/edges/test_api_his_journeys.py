"""HIS payloads over HTTP, and the journeys they are answered with."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.app import consuming
from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.letter import Letter
from tests.builders.api import api, ask, internal
from tests.builders.encounters import a_hospital
from tests.builders.his import INTAKE, MAIN, WRITE_HIS, payload, raw_of, stay, visit
from tests.builders.journey_templates import a_template
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


def _set_up(database: Database) -> None:
    with database.transaction() as connection:
        a_template(connection, a_hospital(connection, code="H7", his=MAIN.code), journey_type="opd")


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
