"""Webhooks whose signature is good: what is kept and published, and what replays do."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import NotRead
from dhos_connector_api.intake import webhook as webhooks
from dhos_connector_api.intake.arrival import Arrival, Door, Receipt
from dhos_connector_api.intake.take import keep_alone, take
from dhos_connector_api.messages import search, store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.spec.kept_body import CheckedBody
from tests.builders.his import raw_of, webhook
from tests.builders.intake import INTAKE, an_arrival
from tests.rigs.stored import uuid_of


def an_arrived_webhook(raw: bytes, source: str = "his", signed_id: str | None = None) -> Arrival:
    return an_arrival(raw, Kind.WEBHOOK, door=Door(source=source, signed_id=signed_id))


def send(database: Database, value: Any, source: str = "his", signed_id: str | None = None) -> Receipt:
    """What the door does once the signature is good."""
    return take(an_arrived_webhook(raw_of(value), source, signed_id), INTAKE, database)


def published(database: Database) -> list[Any]:
    with database.statements() as connection:
        rows = connection.execute(text("SELECT body, routing_key FROM outbox ORDER BY position")).all()
    assert {key for _, key in rows} <= {EVENT_ROUTING_KEY}
    return [json.loads(bytes(body)) for body, _ in rows]


def messages(database: Database) -> int:
    with database.statements() as connection:
        return int(connection.execute(text("SELECT count(*) FROM message")).scalar_one())


@pytest.mark.parametrize(
    ("source", "event"),
    [
        *(("his", "APPOINTMENT_CONFIRMED"), ("his", "APPOINTMENT_CANCELLED"), ("his", " visit_started ")),
        *(("his", "VISIT_COMPLETED"), ("his", "PAYMENT_COMPLETED"), ("his", "PRESCRIPTION_ISSUED")),
        *(("lis", "RESULT_AVAILABLE"), ("emr", "DOCUMENT_SIGNED")),
    ],
)
def test_every_event_of_a_source_is_published(database: Database, source: str, event: str) -> None:
    value = webhook(event=event, patient_code="P1", visit_id="A1")
    receipt = send(database, value, source)
    (envelope,) = published(database)
    (action,) = envelope["actions"]
    assert receipt.outcome == "accepted"
    assert action["name"] == "process_event"
    data = action["data"]
    assert (data["source_system"], data["event_code"]) == (source, event.strip().upper())
    assert (data["encounter_id"], data["patient"]["mrn"]) == ("A1", "P1")
    assert (data["occurred_at"], data["data"]) == ("2025-06-05T08:06:00.000Z", {"clinic": "CARDIOLOGY"})
    with database.statements() as connection:
        row = store.get(connection, uuid_of(receipt))
        page = search.by_identifier(connection, "Visit ID", "A1", limit=10, before=None)
    assert row is not None
    assert (bytes(row["received"]), row["state"]) == (raw_of(value), "accepted")
    assert (row["message_type"], row["src_description"]) == (f"webhook {source}", source)
    assert [each["uuid"] for each in page.rows] == [receipt.uuid]


@pytest.mark.parametrize(("source", "event"), [("his", "RESULT_AVAILABLE"), ("lis", "x"), ("emr", "")])
def test_an_event_that_is_none_of_its_source_is_kept_as_ignored(
    database: Database, source: str, event: str
) -> None:
    receipt = send(database, webhook(event=event), source)
    assert receipt.outcome == "ignored"
    assert published(database) == []
    assert messages(database) == 1
    with database.statements() as connection:
        row = store.get(connection, uuid_of(receipt))
    assert row is not None
    assert (row["state"], row["is_processed"]) == ("accepted", True)  # nobody will ever say so


def test_the_same_id_again_does_nothing_whatever_the_body(database: Database) -> None:
    first = send(database, webhook(event_id="E1"))
    for value, signed_id in ((webhook(event_id="E1"), None), (webhook(event_id=" E1"), "msg_9")):
        again = send(database, value, signed_id=signed_id)
        assert (again.outcome, again.answer) == ("repeated", first.answer)
        assert again.uuid == first.uuid
    assert (len(published(database)), messages(database)) == (1, 1)


def test_without_an_id_of_its_own_the_signed_id_counts(database: Database) -> None:
    one, two = webhook(event_id=None), webhook(event_id=None)
    assert send(database, one, signed_id="msg_1").outcome == "accepted"
    assert send(database, two, signed_id="msg_1").outcome == "repeated"
    assert send(database, one, signed_id="msg_2").outcome == "accepted"


def test_without_any_id_the_body_counts(database: Database) -> None:
    one, two = webhook(event_id=None), webhook(event_id=None)
    outcomes = [send(database, each).outcome for each in (one, two, one)]
    assert outcomes == ["accepted", "accepted", "repeated"]


def test_the_same_id_at_two_sources_is_two_events(database: Database) -> None:
    value = webhook(event_id="E1")
    assert [send(database, value, each).outcome for each in ("his", "lis")] == ["accepted", "ignored"]


def test_what_does_not_fit_is_kept_with_the_reason(database: Database) -> None:
    for value in (webhook(occurred_at="2025-06-05T11:06:00"), webhook(occurred_at="CANARY")):
        receipt = send(database, value)
        with database.statements() as connection:
            row = store.get(connection, uuid_of(receipt))
        assert receipt.outcome == "refused"
        assert row is not None
        assert (row["state"], bytes(row["received"])) == ("refused", raw_of(value))
        assert row["error_text"].startswith("occurred_at: Not a valid")
    assert webhooks.read(an_arrived_webhook(b"\xff"), INTAKE).row.state == "unparseable"


def test_what_does_not_fit_is_kept_once_however_often_it_comes(database: Database) -> None:
    bad = webhook(occurred_at="2025-06-05T11:06:00")
    receipts = [send(database, bad, signed_id=f"msg_{number}") for number in range(3)]
    assert [each.outcome for each in receipts] == ["refused"] * 3
    assert {each.uuid for each in receipts} == {receipts[0].uuid}
    assert messages(database) == 1
    assert send(database, bad, "lis").uuid != receipts[0].uuid
    with database.statements() as connection:
        assert connection.execute(text("SELECT max(repeats) FROM message_key")).scalar_one() == 2


def test_a_fault_of_ours_is_kept_with_the_bytes(database: Database) -> None:
    failed = CheckedBody(is_json=False, failed=True)
    receipt = keep_alone(database, webhooks._judged(failed, an_arrived_webhook(b"{}"), INTAKE))
    with database.statements() as connection:
        row = store.get(connection, uuid_of(receipt))
    assert isinstance(receipt.error, NotRead)
    assert row is not None
    assert (row["state"], row["error_code"], bytes(row["received"])) == ("refused", "207", b"{}")


def test_copies_at_the_same_time_have_one_effect(database: Database) -> None:
    value = webhook()
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda _: send(database, value).outcome, range(32)))
    assert sorted(outcomes) == ["accepted"] + ["repeated"] * 31
    assert (len(published(database)), messages(database)) == (1, 1)
