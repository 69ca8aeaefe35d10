"""Many events in one request: all that can be taken, none twice, and the place of every other."""

import json
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from prometheus_client import REGISTRY
from sqlalchemy import event, text
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from starlette.types import ASGIApp

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import SiteUnavailable
from dhos_connector_api.events import idempotency
from dhos_connector_api.http.limits import RateLimiting
from dhos_connector_api.intake.arrival import Intake
from dhos_connector_api.intake.bulk import MOST_ERRORS
from dhos_connector_api.intake.event import MOST as GROUP
from dhos_connector_api.intake.event import MOST_BYTES as MOST_GROUP_BYTES
from dhos_connector_api.site.model import Site
from tests.builders.api import UNLIMITED, a_key, api, ask, internal, shared_api
from tests.builders.event import waiting
from tests.rigs.waiting import eventually

BULK = "/api/integrations/events/bulk_create/"
EVENT: dict[str, Any] = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1"}
TOKEN = internal("write:his")


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return shared_api(database, unlimited=True)


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


def test_of_many_errors_the_first_are_told_and_all_are_counted(app: ASGIApp, database: Database) -> None:
    """10,000 events of two bytes each were answered with 1.5 MB."""
    answer = tell(app, [{}, EVENT] * (GROUP + MOST_ERRORS))
    body = answer.json()
    assert (body["created"], body["failed"]) == (GROUP + MOST_ERRORS,) * 2
    assert [each["index"] for each in body["errors"]] == [2 * number for number in range(MOST_ERRORS)]
    assert all(len(each["details"]) == 3 for each in body["errors"])
    assert len(answer.content) < 20_000
    assert counted(database, "outbox") == GROUP + MOST_ERRORS


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


@pytest.mark.parametrize("number_of_events", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_events_in_concurrent_copies_have_one_effect_each(database: Database, number_of_events: int) -> None:
    app, key = api(database, changes=UNLIMITED, WEB_THREADS="8"), a_key(database)
    draw, run = random.Random(7), uuid4().hex
    events = [EVENT | {"event_id": f"{run}-{number}"} for number in range(number_of_events)]
    copies = [draw.sample(events, len(events)) for _ in range(3)]

    def send(many: list[Any]) -> Any:
        """Send it until its turn has come: one bulk is worked on at a time, and others wait so long."""

        def answered() -> Any:
            response = ask(app, "POST", BULK, json={"events": many}, headers={"X-API-Key": key})
            return response if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE else None

        return eventually(answered, seconds=120).json()

    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(send, copies))
    assert sum(each["created"] for each in answers) == number_of_events
    assert sum(each["duplicates"] for each in answers) == 2 * number_of_events
    assert [counted(database, table) for table in ("outbox", "message")] == [number_of_events] * 2


def test_one_odd_offset_stops_no_other(app: ASGIApp, database: Database) -> None:
    events = [EVENT | {"encounter_id": f"V{number}"} for number in range(GROUP + 100)]
    events[GROUP + 50] = EVENT | {"payload_json": {"timestamp": "2025-06-05T11:06:00+23:00"}}
    answer = tell(app, events, Idempotency_Key="1")
    assert (answer.status_code, answer.json()["created"]) == (201, GROUP + 100)
    assert counted(database, "outbox") == GROUP + 100


@pytest.mark.parametrize(
    "raw",
    [b'{"events":[]}', b'{"events": [ ] }', b'{1:2,"events":[%s]}', b'{[]:2,"events":[%s]}',
     b'{null:2,"events":[%s]}', b'{"x":[1 2],"events":[%s]}'],
)  # fmt: skip
def test_what_the_specification_does_not_know_is_400(app: ASGIApp, raw: bytes) -> None:
    content = raw.replace(b"%s", json.dumps(EVENT).encode())
    headers = {"Content-Type": "application/json"}
    answer = ask(app, "POST", BULK, token=TOKEN, content=content, headers=headers)
    assert (answer.status_code, set(answer.json())) == (400, {"error", "details"})


def test_a_request_that_failed_for_want_of_the_site_may_come_again_at_once(database: Database) -> None:
    def away() -> Intake:
        raise SiteUnavailable("the site's configuration has not been fetched yet")

    limits = RateLimiting(Site, ())
    without = api(database, changes={"intake": away, "limits": limits})
    with_site = shared_api(database, unlimited=True)
    statuses = [tell(each, [EVENT], Idempotency_Key="1").status_code for each in (without, with_site)]
    assert statuses == [503, 201]


@pytest.mark.parametrize(("error", "status"), [(OperationalError, 503), (DataError, 500), (ValueError, 500)])
@pytest.mark.parametrize("statement", ["INTO integration_event", "SET running_until = NULL"])
def test_a_request_that_failed_may_come_again_at_once_and_counts_what_it_kept(
    app: ASGIApp, database: Database, error: type[Exception], status: int, statement: str
) -> None:
    """The second group fails, or noting the answer does: whatever the reason."""
    left = {"INTO integration_event": 1}.get(statement, 0)

    def fail(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        nonlocal left
        if statement in sql:
            left -= 1
            if left < 0:
                raise error(sql, {}, Exception("no")) if issubclass(error, DBAPIError) else error("no")

    events = [EVENT | {"encounter_id": f"V{number}"} for number in range(2 * GROUP)]
    before = told_new()
    event.listen(database.engine, "before_cursor_execute", fail)
    try:
        first = tell(app, events, Idempotency_Key="1")
    finally:
        event.remove(database.engine, "before_cursor_execute", fail)
    assert first.status_code == status or (error, statement) == (DataError, "INTO integration_event")
    assert told_new() - before == counted(database, "integration_event") >= GROUP
    if first.status_code != 201:
        again = tell(app, events, Idempotency_Key="1")
        assert (again.status_code, again.json()["created"]) == (201, 2 * GROUP)
        assert told_new() - before == counted(database, "integration_event") == 2 * GROUP


def told_new() -> float:
    return REGISTRY.get_sample_value("connector_integration_events_total", {"outcome": "new"}) or 0.0


_ROOM = 9_900_000


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"x":[%s[]],"events":[%%s]}' % (b"[]," * (_ROOM // 3)), id="lists in a member"),
        pytest.param(b'{"x":[%s1],"events":[%%s]}' % (b"1," * (_ROOM // 2)), id="numbers in a member"),
        pytest.param(b'{"events":[[%s{}]]}' % (b"{}," * (_ROOM // 3)), id="objects in an event"),
        pytest.param(b'{"events":[["%s"]]}' % (b'ab","' * (_ROOM // 5)), id="texts in an event"),
        pytest.param(b'{"events":["%s"]}' % (b"\\u0041" * (_ROOM // 6)), id="escapes"),
        pytest.param(b'{"events":["%s' % (b"\\," * (_ROOM // 2)), id="a text without end"),
    ],
)
def test_memory_is_bounded_for_hostile_bodies_too(app: ASGIApp, body: bytes) -> None:
    headers, raw = {"Content-Type": "application/json"}, body.replace(b"%s", json.dumps(EVENT).encode())
    tracemalloc.start()
    answer = ask(app, "POST", BULK, token=TOKEN, content=raw, headers=headers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code in (201, 400)
    assert peak < 6 * len(raw)


@pytest.mark.slow
def test_memory_is_one_group_also_where_events_are_large(app: ASGIApp) -> None:
    payload: dict[str, Any] = {"x": [{}] * 7000}
    raw = json.dumps({"events": [EVENT | {"payload_json": payload}] * 70}).encode()
    tracemalloc.start()
    answer = ask(app, "POST", BULK, token=TOKEN, content=raw, headers={"Content-Type": "application/json"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.json()["created"] == 70
    assert peak < 4 * len(raw) + 40 * MOST_GROUP_BYTES


@pytest.mark.slow
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


def test_a_bare_list_is_told_what_it_is_wanted_in(app: ASGIApp) -> None:
    answer = ask(app, "POST", BULK, token=TOKEN, json=[EVENT])
    assert answer.status_code == 400
    assert answer.json()["details"] == {"body": ['must be an object that holds the list: {"events": [...]}']}


def test_an_event_on_a_day_that_does_not_exist_is_told_so(app: ASGIApp) -> None:
    unreal = EVENT | {"payload_json": {"visit_date": "2025-06-31"}}
    (error,) = tell(app, [unreal]).json()["errors"]
    assert "31 June does not exist" in json.dumps(error)
