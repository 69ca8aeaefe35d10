"""Taking patient data out of old events, by the very statement of the runbook."""

import re
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.site.model import Site
from tests.builders.event import kept_event
from tests.builders.his import INTAKE, SITE, payload, stay, visit
from tests.rigs.his_doors import codes, published, result, rows, send
from tests.rigs.meanings import applied

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations.md"
CANARY = "CANARY"


def forget(database: Database) -> None:
    """What the runbook says, once everything is more than a month old."""
    (statement,) = re.findall(r"```sql\n(UPDATE integration_event\n.*?)```", RUNBOOK.read_text(), re.DOTALL)
    with database.transaction() as connection:
        connection.execute(text("UPDATE integration_event SET received_at = received_at - interval '1 year'"))
        connection.exec_driver_sql(statement.replace("%", "%%"))


def test_nothing_of_the_patient_is_left_and_what_is_known_of_the_stay_is(database: Database) -> None:
    names = ("PatientID", "PatientName", "SSN", "MobileNo", "PatientNationality", "PrimaryDoctor")
    entry = stay(**{name: f"{CANARY}-{name}" for name in names}, DOB="1931-03-05")
    seen = [visit("Consultation"), visit("Massage")]
    send(database, payload(entry | {"DischargeDate": "30-Dec-2025 10:00"}, visits=seen))
    kept_event(database, payload={"x": CANARY}, event_fields={"y": CANARY}, patient_identifier=CANARY)
    before = len(codes(database))
    forget(database)
    left = "".join(str(row) for row in rows(database, "SELECT to_jsonb(e) FROM integration_event e"))
    assert CANARY not in left
    assert "1931" not in left
    again = send(database, payload(entry, visits=[*seen, visit("Doctor Visited")]))
    assert result(again).completed == ["Consultation", "Doctor Visited"]
    assert result(again).new == ["Doctor Visited"]
    assert len(codes(database)) == before + 1
    assert published(database)[-1]["actions"][1]["data"]["discharged_at"].startswith("2025-12-30")


def test_an_event_that_was_emptied_can_still_be_published_again(database: Database) -> None:
    receipt = send(database, payload(stay(PatientID=CANARY), visits=[]))
    forget(database)
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM outbox"))
    assert receipt.uuid is not None
    replay(database, receipt.uuid, INTAKE, by="test")
    (envelope,) = published(database)
    assert [each["name"] for each in envelope["actions"]] == ["process_event"]
    assert envelope["actions"][0]["data"]["patient"] == {"mrn": None, "nhs_number": None}
    assert CANARY not in str(envelope)


def test_a_visit_that_was_emptied_means_what_the_site_says_all_the_same(database: Database) -> None:
    entry, seen = stay(), [visit("Radiology")]
    bare = replace(INTAKE, site=Site(his=replace(SITE.his, visit_types={})))
    send(database, payload(entry, visits=seen), bare)
    assert applied(database, site=SITE, code="Radiology") == 1
    send(database, payload(visits=[visit("Radiology")]), bare)
    forget(database)
    assert [applied(database, site=SITE, code="Radiology") for _ in range(2)] == [1, 0]
    again = send(database, payload(entry | {"MobileNo": "1"}, visits=seen))
    assert result(again).completed == ["Radiology"]
