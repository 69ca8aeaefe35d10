"""Many events in one request: all that can be taken, none twice, and the place of every other."""

import json
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.events import idempotency
from dhos_connector_api.intake.receive_events import GROUP
from tests.api_builders import UNLIMITED, a_key, api, ask, internal
from tests.event_builders import waiting

BULK = "/api/integrations/events/bulk_create/"
EVENT: dict[str, Any] = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1"}
TOKEN = internal("write:his")


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return api(database, changes=UNLIMITED)


def tell(app: ASGIApp, events: list[Any], **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(app, "POST", BULK, token=TOKEN, json={"events": events}, headers=named)


def counted(database: Database, table: str) -> int:
    with database.statements() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_each_event_is_taken_or_its_place_is_told(app: ASGIApp, database: Database) -> None:
    events = [
        EVENT,
        {},
        EVENT | {"event_id": "1"},
        7,
        EVENT | {"payload_json": {"timestamp": "x"}},
        EVENT | {"event_id": "1"},
        EVENT | {"event_id": "1", "event_code": "OTHER"},
        EVENT | {"encounter_id": 1e400},
    ]
    raw = json.dumps({"events": events}).replace("Infinity", "1e999").encode()
    headers = {"Content-Type": "application/json"}
    answer = ask(app, "POST", BULK, token=TOKEN, content=raw, headers=headers)
    body = answer.json()
    assert answer.status_code == 201
    assert (body["created"], body["duplicates"], body["failed"]) == (2, 1, 5)
    told = {each["index"]: each for each in body["errors"]}
    assert sorted(told) == [1, 3, 4, 6, 7]
    assert set(told[1]["details"]) == {"source_system", "event_code", "encounter_id"}
    assert list(told[4]["details"]) == ["payload_json.timestamp"]
    assert [counted(database, table) for table in ("integration_event", "outbox", "message")] == [2, 2, 2]


def test_each_event_is_kept_as_a_message_of_its_own(app: ASGIApp, database: Database) -> None:
    tell(app, [EVENT | {"patient_identifier": name} for name in ("ANN", "BOB")])
    with database.statements() as connection:
        contents = connection.execute(text("SELECT content FROM message_body")).scalars().all()
    assert sorted(("ANN" in each, "BOB" in each) for each in contents) == [(False, True), (True, False)]


def test_they_are_published_in_the_order_given(app: ASGIApp, database: Database) -> None:
    count = GROUP + 10
    tell(app, [EVENT | {"event_code": f"E{number}", "event_id": str(-number)} for number in range(count)])
    assert [code for _, code in waiting(database)] == [f"E{number}" for number in range(count)]


def test_a_body_that_cannot_be_read_to_its_end_is_refused_as_a_whole(
    app: ASGIApp, database: Database
) -> None:
    raw = json.dumps({"events": [EVENT] * 1000})[:-1].encode()
    headers = {"Content-Type": "application/json"}
    assert ask(app, "POST", BULK, token=TOKEN, content=raw, headers=headers).status_code == 400
    assert tell(app, [EVENT] * 10_001).status_code == 400
    assert counted(database, "integration_event") == 0


def test_the_same_request_under_a_key_is_answered_as_the_first_time(app: ASGIApp, database: Database) -> None:
    events = [EVENT] * (GROUP + 1)
    answers = [tell(app, events, Idempotency_Key="1") for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[0].json() == {"created": GROUP + 1, "duplicates": 0, "failed": 0, "errors": []}
    assert tell(app, events[1:], Idempotency_Key="1").status_code == 422
    assert counted(database, "outbox") == GROUP + 1


def test_while_the_first_is_running_the_second_is_409(app: ASGIApp, database: Database) -> None:
    raw = {"events": [EVENT]}
    tell(app, raw["events"], Idempotency_Key="1")
    with database.transaction() as connection:
        connection.execute(text("UPDATE idempotency_key SET answer = NULL, running_until = now() + '1 min'"))
    assert tell(app, raw["events"], Idempotency_Key="1").status_code == 409


def test_a_request_whose_process_died_half_way_goes_on_where_it_ended(
    app: ASGIApp, database: Database
) -> None:
    events = [EVENT | {"encounter_id": f"V{number}"} for number in range(2 * GROUP)]
    tell(app, events, Idempotency_Key="1")
    with database.transaction() as connection:  # as kill -9 after the first group leaves it
        late = clock.now() - idempotency.RUNNING - timedelta(seconds=1)
        connection.execute(
            text("UPDATE idempotency_key SET answer = NULL, running_until = :at"), {"at": late}
        )
        second = text(
            "WITH gone AS ("
            "DELETE FROM integration_event WHERE encounter_id = ANY(:ids) RETURNING envelope_id)"
            " DELETE FROM outbox WHERE id IN (SELECT envelope_id FROM gone)"
        )
        connection.execute(second, {"ids": [each["encounter_id"] for each in events[GROUP:]]})
    assert counted(database, "outbox") == GROUP
    again = tell(app, events, Idempotency_Key="1")
    assert again.json() == {"created": 2 * GROUP, "duplicates": 0, "failed": 0, "errors": []}
    assert counted(database, "outbox") == counted(database, "integration_event") == 2 * GROUP


def test_ten_thousand_events_in_concurrent_copies_have_ten_thousand_effects(database: Database) -> None:
    app, key = api(database, changes=UNLIMITED, WEB_THREADS="8"), a_key(database)
    draw, run = random.Random(7), uuid4().hex
    events = [EVENT | {"event_id": f"{run}-{number}"} for number in range(10_000)]
    copies = [draw.sample(events, len(events)) for _ in range(3)]

    def send(many: list[Any]) -> Any:
        return ask(app, "POST", BULK, json={"events": many}, headers={"X-API-Key": key}).json()

    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(send, copies))
    assert sum(each["created"] for each in answers) == 10_000
    assert sum(each["duplicates"] for each in answers) == 20_000
    assert [counted(database, table) for table in ("outbox", "message")] == [10_000, 10_000]


def test_memory_is_a_few_times_the_body_and_one_group(app: ASGIApp) -> None:
    payload = {f"field {number}": number for number in range(50)}
    raw = json.dumps({"events": [EVENT | {"payload_json": payload}] * 3000}).encode()
    headers = {"Content-Type": "application/json"}
    tracemalloc.start()
    answer = ask(app, "POST", BULK, token=TOKEN, content=raw, headers=headers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.json()["created"] == 3000
    assert peak < 4 * len(raw) + GROUP * 20_000
