"""Webhooks whose signature is good: what is kept and published, and what replays do."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict, NotRead
from dhos_connector_api.events import store as events
from dhos_connector_api.events.store import Kept
from dhos_connector_api.intake import webhook as webhooks
from dhos_connector_api.intake.arrival import Arrival, Door, Outcome, Receipt
from dhos_connector_api.intake.take import keep_alone, take
from dhos_connector_api.messages import search, store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.spec.kept_body import CheckedBody
from tests.builders.his import raw_of, webhook
from tests.builders.intake import INTAKE, an_arrival
from tests.rigs.stored import uuid_of


def an_arrived_webhook(raw: bytes, source: str = "his", signed_id: str | None = None) -> Arrival:
    door = Door(source=source, signed_id=signed_id, admit=lambda: None)
    return an_arrival(raw, Kind.WEBHOOK, door=door)


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


def test_the_same_webhook_again_does_nothing_however_it_is_written(database: Database) -> None:
    value = webhook(event_id="E1", data={"amount": 1.50, "of": [1, {"a": None}]})
    first = send(database, value)
    spaced = json.dumps(value | {"event_id": " E1"}, indent=3, sort_keys=True).replace("1.5", "1.500e0")
    arrivals = [
        an_arrived_webhook(raw_of(value)),
        an_arrived_webhook(raw_of(value), signed_id="msg_9"),
        an_arrived_webhook(spaced.encode()),
    ]
    for arrival in arrivals:
        again = take(arrival, INTAKE, database)
        assert (again.outcome, again.answer, again.uuid) == ("repeated", first.answer, first.uuid)
    assert (len(published(database)), messages(database)) == (1, 1)


@pytest.mark.parametrize("kind", ["event_id", "webhook-id"])
@pytest.mark.parametrize(
    "change",
    [
        {"patient_code": "OTHER"},
        {"event": "VISIT_COMPLETED"},
        {"occurred_at": "2025-06-05T11:06:01+03:00"},
        {"data": None},
        {"extra": 1},
    ],
)
def test_another_webhook_under_a_known_id_is_kept_once_and_refused(
    database: Database, kind: str, change: dict[str, Any]
) -> None:
    value = webhook(event_id="X" if kind == "event_id" else None)
    signed_id = "X" if kind == "webhook-id" else None
    first = send(database, value, signed_id=signed_id)
    others = [send(database, value | change, signed_id=signed_id) for _ in range(3)]
    assert {(each.outcome, each.uuid) for each in others} == {("conflict", others[0].uuid)}
    assert isinstance(others[0].error, Conflict)
    with database.statements() as connection:
        row = store.get(connection, uuid_of(others[0]))
    assert row is not None
    assert (row["state"], row["duplicate_of"], bytes(row["received"])) == (
        "refused",
        first.uuid,
        raw_of(value | change),
    )
    assert (row["error_code"], row["repeats"]) == ("205", 2)
    assert row["error_text"] == f"another webhook of this source has the same {kind}"
    assert send(database, value, signed_id=signed_id).outcome == "repeated"
    assert (len(published(database)), messages(database)) == (1, 2)


def test_a_webhook_id_is_no_event_id(database: Database) -> None:
    by_event, by_header = webhook(event_id="X"), webhook(event_id=None)
    for _ in range(2):
        outcomes = [send(database, by_event).outcome, send(database, by_header, signed_id="X").outcome]
    assert outcomes == ["repeated", "repeated"]
    assert (len(published(database)), messages(database)) == (2, 2)
    assert send(database, webhook(event_id="X")).outcome == "conflict"
    assert send(database, webhook(event_id=None), signed_id="X").outcome == "conflict"
    assert len(published(database)) == 2


def old_identity(name: str) -> bytes:
    """What builds kept a webhook of the HIS under that knew no kinds of ids."""
    return sha256(f"webhook\0his\0id\0{name}".encode()).digest()


@pytest.mark.parametrize("signed_id", [None, "X"])
def test_a_build_that_knew_no_kinds_applies_nothing_twice_beside_us(
    database: Database, signed_id: str | None
) -> None:
    value = webhook(event_id=None if signed_id else "X")
    receipt = send(database, value, signed_id=signed_id)
    with database.statements() as connection:
        row = events.by_identity(connection, old_identity("X"))
    assert row is not None, "it looks there, and finds it"
    assert row["message_uuid"] == receipt.uuid


@pytest.mark.parametrize("signed_id", [None, "X"])
def test_what_a_build_kept_that_knew_no_kinds_is_known(database: Database, signed_id: str | None) -> None:
    value = webhook(event_id=None if signed_id else "X")
    read = webhooks.read(an_arrived_webhook(raw_of(value), signed_id=signed_id), INTAKE)
    with database.statements() as connection:
        kept = Kept(read.row.received, Kind.WEBHOOK, "webhook his", "his", None)
        event = replace(webhooks.new_event(connection, read, kept), identity=old_identity("X"))
        assert events.insert(connection, [event])
    assert send(database, value, signed_id=signed_id).outcome == "repeated"
    assert send(database, value | {"data": {}}, signed_id=signed_id).outcome == "conflict"
    other = webhook(event_id="X" if signed_id else None)
    kind = None if signed_id else "X"
    assert [send(database, other, signed_id=kind).outcome for _ in range(2)] == ["accepted", "repeated"]


def test_after_the_first_of_two_kinds_is_gone_the_second_is_still_known(database: Database) -> None:
    first, second = webhook(event_id="X"), webhook(event_id=None)
    send(database, first)
    send(database, second, signed_id="X")
    with database.transaction() as connection:
        connection.execute(
            text("DELETE FROM integration_event WHERE identity = :old"), {"old": old_identity("X")}
        )
    assert send(database, second, signed_id="X").outcome == "repeated"


def test_of_an_event_that_was_emptied_nothing_is_applied_twice(database: Database) -> None:
    value = webhook(event_id="X")
    send(database, value)
    with database.transaction() as connection:
        connection.execute(text("UPDATE integration_event SET payload = '{}'"))
    assert send(database, value).outcome == "conflict", "nobody can say any more whether it is the same"
    assert send(database, webhook(event_id=None), signed_id="X").outcome == "conflict"
    assert (len(published(database)), messages(database)) == (1, 3)


@pytest.mark.parametrize("signed_id", [None, "X"])
def test_of_two_at_once_with_one_id_one_is_taken_and_the_other_kept(
    database: Database, signed_id: str | None
) -> None:
    event_id = None if signed_id else "X"
    values = [webhook(event_id=event_id, data={"number": number}) for number in range(8)]
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda each: send(database, each, signed_id=signed_id).outcome, values * 4))
    assert (outcomes.count(Outcome.ACCEPTED), outcomes.count(Outcome.REPEATED)) == (1, 3)
    assert outcomes.count(Outcome.CONFLICT) == 28
    assert (len(published(database)), messages(database)) == (1, 8)


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


def test_a_birth_that_cannot_be_is_not_published(database: Database) -> None:
    value = webhook(data={"dob": "1405-09-16", "clinic": "CARDIOLOGY"})
    receipt = send(database, value)
    (envelope,) = published(database)
    assert envelope["actions"][0]["data"]["data"] == {"clinic": "CARDIOLOGY"}
    with database.statements() as connection:
        row = store.get(connection, uuid_of(receipt))
    assert row is not None
    assert bytes(row["received"]) == raw_of(value)
    assert send(database, value).outcome == "repeated"
