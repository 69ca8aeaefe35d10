"""HL7 messages and HIS payloads that name a hospital, each in its way, are of that one, also those before."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api import clock
from dhos_connector_api.app import consuming
from dhos_connector_api.app.hospitals import KnownHospitals
from dhos_connector_api.app.incoming import IntakeSource
from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.journeys import periodic as of_journeys
from dhos_connector_api.px.organizations import identifying
from dhos_connector_api.px.organizations import periodic as of_patients
from dhos_connector_api.site.model import Site
from tests.builders.api import api, ask, internal, message_body
from tests.builders.his import WRITE_HIS, payload, stay, visit
from tests.builders.hl7 import adt
from tests.builders.journey_templates import a_template
from tests.builders.organizations import a_hospital
from tests.builders.rows import settings

HIS_PATH = "/api/simulator/his-patient-data/"
FACILITY, NAME = "Ward Hosp", "North Clinic"


def app_of(database: Database) -> ASGIApp:
    """The application of a site that configures no hospitals."""
    intake = IntakeSource(settings(), Site, hospitals=KnownHospitals(database))
    return api(database, changes={"intake": intake})


def consume(database: Database) -> None:
    """Give every envelope of the outbox to the consumers."""
    with database.statements() as connection:
        found = connection.execute(
            text("SELECT id, routing_key, correlation_id, body FROM outbox ORDER BY position")
        )
        letters = [Letter(str(row.id), row.routing_key, row.correlation_id, bytes(row.body)) for row in found]
    for each in consuming.readers(settings(), database):
        each.take(letters)


def send_hl7(database: Database, facility: str) -> None:
    """Send the arrival of an outpatient from that facility (MSH-4), and have it consumed."""
    raw = adt("A04", MSH_4=facility, encounter_class="O")
    token = internal("write:hl7_message")
    answer = ask(app_of(database), "POST", "/dhos/v1/message", token=token, json=message_body(raw))
    assert answer.is_success, answer.text
    consume(database)


def send_his(database: Database, name: str) -> None:
    """Send a HIS payload of a hospital by that name, and have it consumed."""
    entry = stay(HospitalID="77", HospitalName=name, DischargeDate=None)
    body = payload(entry, visits=[visit("Consultation")])
    answer = ask(app_of(database), "POST", HIS_PATH, token=internal(WRITE_HIS), json=body)
    assert answer.status_code == 200, answer.text
    consume(database)


def name_it(database: Database, hospital: UUID, source: str, kind: str, value: str) -> None:
    at = clock.now()
    with database.transaction() as connection:
        called = {"source": source, "kind": kind, "value": value}
        identifying.identify(connection, clock.new_uuid(at), hospital, at=at, seen=None, **called)


def run_jobs(database: Database) -> None:
    """The periodic jobs of patients and journeys, each once."""
    with database.transaction() as connection:
        of_patients.place(connection, clock.now())
        of_journeys.apply_ripe(connection, clock.now())


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.statements() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_feeds_that_name_a_hospital_each_its_way_are_of_that_one(database: Database) -> None:
    hospital, _other = a_hospital(database, code="H7")["id"], a_hospital(database, code="H8")["id"]
    with database.transaction() as connection:
        a_template(connection, hospital, journey_type="opd")
    name_it(database, hospital, "hl7v2", "facility", FACILITY)
    name_it(database, hospital, "his", "name", NAME)
    send_hl7(database, "WARD  hosp")
    send_his(database, "north CLINIC")
    assert rows(database, "SELECT error FROM parked") == []
    for table in ("patient", "journey_instance"):
        assert rows(database, f"SELECT hospital_id FROM {table}") == [(hospital,)] * 2


def test_what_waited_for_a_hospital_is_taken_up_once_it_is_named(database: Database) -> None:
    hospital = a_hospital(database, code="H7")["id"]
    a_hospital(database, code="H8")
    with database.transaction() as connection:
        a_template(connection, hospital, journey_type="opd")
    send_hl7(database, FACILITY)
    evidence = "SELECT state, reason, hospital_id FROM evidence"
    patients = "SELECT hospital_id FROM patient"
    run_jobs(database)
    assert rows(database, evidence) == [("waiting", "no_hospital", None)]
    assert rows(database, patients) == [(None,)]
    name_it(database, hospital, "hl7v2", "facility", "  ward HOSP ")
    run_jobs(database)
    assert rows(database, evidence) == [("applied", None, hospital)]
    assert rows(database, patients) == [(hospital,)]
    assert rows(database, "SELECT hospital_id FROM journey_instance") == [(hospital,)]
