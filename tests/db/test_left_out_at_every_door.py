"""What is left out of what is accepted, by every door: kept with the message, also by a replay."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.batch import split
from dhos_connector_api.intake.arrival import Arrival, Door, Receipt
from dhos_connector_api.intake.batch import take_batch
from dhos_connector_api.intake.bulk import take_events
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.intake.take import take
from dhos_connector_api.intake.together import take_together
from dhos_connector_api.messages import search
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import Inbound
from tests.builders.his import INTAKE, SITE, payload, raw_of, stay, webhook
from tests.builders.hl7 import adt
from tests.builders.intake import an_arrival
from tests.rigs.stored import count, stored, uuid_of

LENIENT = replace(INTAKE, site=replace(SITE, inbound=Inbound(bad_dates="leave_out")))
STAY = "FetchPatientDataTimeStampList[0]"


def left(database: Database, uuid: UUID | None) -> list[tuple[str, str]] | None:
    row = stored(database, uuid)
    return row["left_out"] and [(each["code"], each["location"]) for each in row["left_out"]]


def his_stay(**changes: Any) -> Arrival:
    return an_arrival(raw_of(payload(stay(**changes), visits=[])), Kind.HIS, caller="his")


def a_webhook(**changes: Any) -> Arrival:
    return an_arrival(raw_of(webhook(**changes)), Kind.WEBHOOK, door=Door(source="his"))


def an_event(**changes: Any) -> Arrival:
    value = {"source_system": "his", "event_code": "E1", "event_id": "N1"} | changes
    return an_arrival(raw_of(value), Kind.EVENT, door=Door(source="his"))


ARRIVALS = {
    "hl7": (an_arrival(adt("A01", PV1_44="", birth="14050916")), [("102", "PID^1^7"), ("101", "PV1^1^44")]),
    "his": (
        his_stay(
            DOB="1405-09-16", DischargeDate="01-Jan-1900", Gender="Q", IsVIP="perhaps", PatientID="UNKNOWN"
        ),
        [
            ("102", f"{STAY}.DOB"),
            ("102", f"{STAY}.DischargeDate"),
            ("102", f"{STAY}.PatientID"),
            ("103", f"{STAY}.Gender"),
            ("103", f"{STAY}.IsVIP"),
        ],
    ),
    "webhook": (
        a_webhook(patient_code="null", data={"patients": [{"Birth-Date": {"value": 14050916}}]}),
        [("102", "patient_code"), ("102", "data.birthdate")],
    ),
    "event": (
        an_event(
            patient_identifier="000", payload_json={"dob": "0001-01-01", "a": {"DOB": ["9999-12-31+03:00"]}}
        ),
        [("102", "patient_identifier"), ("102", "payload_json.dob")],
    ),
}
NOTHING = {
    "hl7": an_arrival(adt("A01")),
    "his": his_stay(DOB="", Gender=None, IsVIP=""),
    "webhook": a_webhook(data={"dob": "1985-06-05"}),
    "event": an_event(event_id="N2", patient_identifier="P1", payload_json={"dob": "someday"}),
}


@pytest.mark.parametrize("door", ARRIVALS)
def test_what_is_left_out_is_kept_with_the_message(database: Database, door: str) -> None:
    arrival, expected = ARRIVALS[door]
    receipt = take(arrival, LENIENT, database)
    assert receipt.outcome == "accepted"
    assert left(database, arrival.uuid) == expected
    row = stored(database, arrival.uuid)
    for value in ("1405", "UNKNOWN", "perhaps", "null", "9999"):
        assert value not in json.dumps(row["left_out"])


@pytest.mark.parametrize("door", NOTHING)
def test_where_nothing_is_left_out_it_says_none(database: Database, door: str) -> None:
    take(NOTHING[door], LENIENT, database)
    assert count(database) == 1
    assert left(database, NOTHING[door].uuid) is None


def test_those_kept_together_have_each_their_own(database: Database) -> None:
    arrivals = [an_arrival(adt("A01", PV1_44=admitted)) for admitted in ("", "20240301", "2024")]
    receipts = [taken.receipt for taken in take_together(arrivals, INTAKE, database)]
    found = [left(database, receipt.uuid) for receipt in receipts if receipt]
    assert found == [[("101", "PV1^1^44")], None, [("102", "PV1^1^44"), ("101", "PV1^1^44")]]


def test_so_have_messages_of_a_batch(database: Database) -> None:
    file = split(b"BHS|^~\\&|A|B\r" + adt("A01") + adt("A08", PID_8="Q") + b"BTS|2\r")
    receipts = take_batch(file, INTAKE, database, caller="epr", correlation_id="1", door=Door())
    assert [left(database, each.uuid) for each in receipts or ()] == [None, [("103", "PID^1^8")]]


def test_so_have_events_of_a_bulk(database: Database) -> None:
    births = ["1985-06-05", "0001-01-01"]
    texts = [
        raw_of(
            {"source_system": "his", "event_code": "E", "event_id": f"B{n}", "payload_json": {"dob": born}}
        )
        for n, born in enumerate(births)
    ]
    take_events(texts, INTAKE, database, caller="his", correlation_id="1", door=Door(source="his"))
    with database.statements() as connection:
        found = connection.execute(text("SELECT left_out FROM message ORDER BY uuid")).scalars().all()
    assert [each and each[0]["location"] for each in found] == [None, "payload_json.dob"]


def test_what_is_refused_has_left_out_nothing(database: Database) -> None:
    receipt = take(an_arrival(adt("A20", PV1_44="")), INTAKE, database)
    assert left(database, receipt.uuid) is None
    first = a_webhook(event_id="W1")
    take(first, INTAKE, database)
    other = a_webhook(event_id="W1", patient_code="null")
    assert take(other, INTAKE, database).outcome == "conflict"
    assert left(database, other.uuid) is None


def _conflicting(database: Database) -> Receipt:
    take(an_arrival(adt("A01", control_id="C1")), INTAKE, database)
    return take(an_arrival(adt("A08", control_id="C1", PV1_44="")), INTAKE, database)


def test_nor_has_what_is_known_under_the_same_control_id(database: Database) -> None:
    receipt = _conflicting(database)
    assert receipt.outcome == "conflict"
    assert left(database, receipt.uuid) is None


@pytest.mark.parametrize("door", ["hl7", "his"])
def test_a_replay_that_accepts_notes_it(database: Database, door: str) -> None:
    arrival, expected = ARRIVALS[door]
    refused = take(arrival, INTAKE, database)
    assert (refused.outcome, left(database, refused.uuid)) == ("refused", None)
    assert replay(database, uuid_of(refused), LENIENT, by="test").accepted_now
    assert left(database, refused.uuid) == expected


@pytest.mark.parametrize("door", ["hl7", "his", "webhook"])
def test_a_replay_of_what_is_accepted_notes_it_as_it_reads_now(database: Database, door: str) -> None:
    arrival, expected = ARRIVALS[door]
    accepted = take(arrival, LENIENT, database)
    with database.transaction() as connection:  # by a build that saw something else in it
        connection.execute(text("""UPDATE message SET left_out = '[{"code": "0"}]'"""))
    replay(database, uuid_of(accepted), LENIENT, by="test")
    assert left(database, accepted.uuid) == expected


def test_one_that_would_be_refused_now_keeps_what_was_noted(database: Database) -> None:
    arrival, expected = ARRIVALS["hl7"]
    accepted = take(arrival, LENIENT, database)
    replay(database, uuid_of(accepted), INTAKE, by="test")
    assert left(database, accepted.uuid) == expected


def test_a_replay_that_takes_more_of_a_payload_notes_it(database: Database) -> None:
    raw = raw_of(payload(stay(), stay(DOB="1405-09-16"), visits=[]))
    receipt = take(an_arrival(raw, Kind.HIS, caller="his"), INTAKE, database)
    assert (receipt.outcome, left(database, receipt.uuid)) == ("accepted", None)
    replay(database, uuid_of(receipt), LENIENT, by="test")
    assert left(database, receipt.uuid) == [("102", "FetchPatientDataTimeStampList[1].DOB")]


def test_lists_show_it_too(database: Database) -> None:
    receipt = take(an_arrival(adt("A01", PV1_44="", mrn="M1", control_id="C1")), INTAKE, database)
    with database.statements() as connection:
        pages = [
            search.by_control_id(connection, "C1", limit=1, before=None),
            search.by_identifier(connection, "MRN", "M1", limit=1, before=None),
            search.latest(connection, limit=1),
        ]
    for page in pages:
        assert page.rows[0]["left_out"] == stored(database, receipt.uuid)["left_out"]
