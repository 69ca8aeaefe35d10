"""Keeping integration events: once, whole, and what is read of them afterwards."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from dhos_connector_api.actions.process_event import event_uuid
from dhos_connector_api.db.engine import Database
from dhos_connector_api.events import store
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.messages import search
from dhos_connector_api.messages import store as messages
from dhos_connector_api.outbox import store as outbox
from tests.builders.event import kept_event, new_event, published, waiting
from tests.builders.rows import WINDOW, effects, new_message

COPIES = 5


def insert(database: Database, events: list[NewEvent]) -> set[Any]:
    with database.statements() as connection:
        return set(store.insert(connection, events))


def counted(database: Database, table: str) -> int:
    with database.statements() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def status(database: Database, event: NewEvent) -> str:
    with database.statements() as connection:
        row = store.get(connection, event.id)
    assert row is not None
    return str(row["status"])


def test_an_event_is_kept_with_its_request_and_queued(database: Database) -> None:
    event = kept_event(database, identity=b"one", event_fields={"facility": "ALH"})
    [(envelope, code)] = waiting(database)
    assert (envelope, code) == (event.envelope_id, "VISIT_STARTED")
    with database.statements() as connection:
        message = messages.get(connection, event.id)
        by_mrn = search.by_identifier(connection, "MRN", str(event.patient_identifier), limit=9, before=None)
        by_visit = search.by_identifier(connection, "Visit ID", str(event.encounter_id), limit=9, before=None)
        body = connection.execute(text("SELECT body FROM outbox")).scalar_one()
    assert message is not None
    assert message["content"] == '{"event_code": "VISIT_STARTED"}'
    assert [row["uuid"] for row in (*by_mrn.rows, *by_visit.rows)] == [event.id, event.id]
    data = json.loads(bytes(body))["actions"][0]["data"]
    assert (data["event_uuid"], data["facility"]) == (str(event_uuid(b"one")), "ALH")


def test_the_same_identity_is_kept_once_and_leaves_nothing_else_behind(database: Database) -> None:
    first, second = new_event(identity=b"one"), new_event(identity=b"one")
    assert insert(database, [first, second]) == {first.id}
    assert insert(database, [second]) == set()
    assert [counted(database, table) for table in ("integration_event", "outbox", "message")] == [1, 1, 1]


def test_without_an_identity_nothing_is_a_duplicate(database: Database) -> None:
    assert len(insert(database, [new_event(), new_event()])) == 2
    assert insert(database, []) == set()


@pytest.mark.parametrize("number_of_events", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_events_in_one_to_five_concurrent_copies_have_one_effect_each(
    database: Database, number_of_events: int
) -> None:
    draw = random.Random(5)
    copies = [number for number in range(number_of_events) for _ in range(draw.randint(1, COPIES))]
    draw.shuffle(copies)
    requests = [copies[at : at + 100] for at in range(0, len(copies), 100)]

    def send(numbers: list[int]) -> int:
        return len(insert(database, [new_event(identity=number.to_bytes(4)) for number in numbers]))

    with ThreadPoolExecutor(8) as threads:
        new = sum(threads.map(send, requests))
    effects_ = [counted(database, table) for table in ("outbox", "integration_event", "message")]
    assert (new, effects_) == (number_of_events, [number_of_events] * 3)
    assert len(copies) > 2 * number_of_events


def test_events_of_one_request_are_published_in_the_order_given(database: Database) -> None:
    events = [new_event(identity=bytes([9 - number]), canonical_code=f"E{number}") for number in range(9)]
    insert(database, events)
    assert [code for _, code in waiting(database)] == [f"E{number}" for number in range(9)]


def test_what_means_nothing_is_kept_as_ignored(database: Database) -> None:
    ignored = kept_event(database, canonical_code=None)
    assert status(database, ignored) == "ignored"
    assert waiting(database) == []
    assert counted(database, "message WHERE is_processed") == 1  # nobody will say so later


def test_the_status_follows_the_envelope_and_the_message(database: Database) -> None:
    event = kept_event(database)
    assert status(database, event) == "pending"
    published(database)
    assert status(database, event) == "processing"
    with database.transaction() as connection:
        assert messages.mark_processed(connection, event.id, by="platform", at=event.received_at)
    assert status(database, event) == "processed"
    with database.transaction() as connection:
        connection.execute(text("UPDATE outbox SET published_at = NULL, dead_at = now()"))
    assert status(database, event) == "failed"
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM outbox"))  # as housekeeping does
    assert status(database, event) == "processed"


def test_an_envelope_that_can_never_be_published_makes_its_event_failed(database: Database) -> None:
    event = kept_event(database)
    with database.transaction() as connection:
        outbox.mark_dead(connection, [waiting(database)[0][0]], at=event.received_at, error="too long")
    with database.statements() as connection:
        row = store.get(connection, event.id)
    assert row is not None
    assert (row["status"], row["error"]) == ("failed", "too long")
    with database.transaction() as connection:
        assert outbox.retry(connection, None) == 1
    assert status(database, event) == "pending"


def test_events_may_share_one_message_that_is_kept_apart(database: Database) -> None:
    message = new_message()
    events = [new_event(kept=None, message_uuid=message.uuid, identity=bytes([n])) for n in range(3)]
    with database.transaction() as connection:
        messages.insert(connection, message, effects(message, envelopes=[]), window=WINDOW)
        store.insert(connection, events)
    assert [counted(database, table) for table in ("message", "integration_event", "outbox")] == [1, 3, 3]


def test_values_that_look_like_something_else_stay_texts(database: Database) -> None:
    nasty = "{a,b}\\\"'; DROP TABLE outbox; -- \t\n%s %(id)s NULL ü 😀"
    event = kept_event(
        database,
        event_code=nasty,
        encounter_id=nasty,
        patient_identifier="NULL",
        payload={nasty: [nasty, None]},
    )
    with database.statements() as connection:
        row = store.get(connection, event.id)
    assert row is not None
    assert (row["event_code"], row["encounter_id"], row["patient_identifier"]) == (nasty, nasty, "NULL")
    assert json.loads(row["payload_json"]) == {nasty: [nasty, None]}
