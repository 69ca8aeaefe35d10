"""Telling of integration events over HTTP, and what is answered to whom."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response
from prometheus_client import REGISTRY
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake.replay import replay
from tests.builders.api import READ, UNLIMITED, WRITE, a_key, api, ask, internal, shared_api
from tests.builders.event import published, waiting
from tests.builders.intake import INTAKE

EVENTS = "/api/integrations/events/"
EVENT: dict[str, Any] = {
    "source_system": "HIS",
    "event_code": "OPD",
    "encounter_id": "V1",
    "patient_identifier": "M1",
    "payload_json": {"physician_license": 4711, "department_code": "CARD", "visit_date": "2025-06-05"},
}
TOKEN = internal("write:his", "read:his", "admin:his")


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return shared_api(database, unlimited=True)


def tell(app: ASGIApp, body: Any = EVENT, *, path: str = EVENTS, **headers: str) -> Response:
    return ask(
        app,
        "POST",
        path,
        token=TOKEN,
        json=body,
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )


def look(app: ASGIApp, path: str = EVENTS, **query: Any) -> Any:
    return ask(app, "GET", path, token=TOKEN, params=query or None).json()


def counted(database: Database, table: str = "integration_event") -> int:
    with database.statements() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_an_event_is_answered_when_it_is_kept_and_queued(app: ASGIApp, database: Database) -> None:
    answer = tell(app)
    body = answer.json()
    assert answer.status_code == 201
    assert set(body) == {"id", "source_system", "event_code", "encounter_id", "status", "received_at"}
    assert (body["source_system"], body["event_code"], body["status"]) == ("HIS", "OPD", "pending")
    assert [code for _, code in waiting(database)] == ["OPD"]
    shown = look(app, f"{EVENTS}{body['id']}/")
    assert (shown["payload_json"], shown["occurred_at"]) == (
        EVENT["payload_json"],
        "2025-06-05T00:00:00.000Z",
    )
    message = ask(app, "GET", f"/dhos/v1/message/{shown['message_uuid']}", token=internal(READ)).json()
    assert (message["message_type"], message["src_description"]) == ("integration event", "HIS")
    assert message["created_by"] == "dhos-robot"


def test_the_last_slash_may_be_left_out(app: ASGIApp) -> None:
    id_ = tell(app, path=EVENTS.rstrip("/")).json()["id"]
    assert look(app, f"{EVENTS}{id_}")["id"] == id_


def test_the_simulators_address_takes_events_of_the_his(app: ASGIApp, database: Database) -> None:
    bare = {"event_code": "OPD", "encounter_id": "V1"}
    assert tell(app, bare, path="/api/simulator/his-events/").json()["source_system"] == "his"
    assert tell(app, path="/api/simulator/his-events/").json()["source_system"] == "HIS"
    assert counted(database) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event_code": None}, "event_code"),
        ({"event_code": " "}, "event_code"),
        ({"event_code": "x" * 256}, "event_code"),
        ({"encounter_id": 7}, "encounter_id"),
        ({"source_system": ""}, "source_system"),
        ({"source_system": "his\n"}, "source_system"),
        ({"source_system": "x" * 65}, "source_system"),
        ({"patient_identifier": {}}, "patient_identifier"),
        ({"event_id": ""}, "event_id"),
        ({"payload_json": []}, "payload_json"),
        ({"payload_json": {"timestamp": "yesterday"}}, "payload_json.timestamp"),
        ({"payload_json": {"timestamp": "0001-01-01T00:00:00+14:00"}}, "payload_json.timestamp"),
        ({"payload_json": {"timestamp": "9999-12-31T23:59:59-23:00"}}, "payload_json.timestamp"),
        ({"payload_json": {"visit_date": "05-Jun-2025"}}, "payload_json.visit_date"),
        ({"payload_json": {"visit_date": "2025-06-05", "visit_time": "25:00"}}, "payload_json.visit_time"),
    ],
)
def test_what_does_not_fit_is_told_by_field_and_not_kept(
    app: ASGIApp, database: Database, change: dict[str, Any], field: str
) -> None:
    answer = tell(app, EVENT | change)
    assert answer.status_code == 400
    assert answer.json()["error"] == "Invalid event data"
    assert list(answer.json()["details"]) == [field]
    assert counted(database) == 0


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b'"x"', b'{"a": NaN}', b'{"a": "\\u0000"}', b"\xff"]
)
def test_what_is_no_event_is_400(app: ASGIApp, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    for path in (EVENTS, f"{EVENTS}bulk_create/", "/api/simulator/his-events/"):
        answer = ask(app, "POST", path, token=TOKEN, content=raw, headers=headers)
        assert answer.status_code == 400
        assert set(answer.json()) == {"error", "details"}


def test_an_event_that_is_known_by_its_id_is_not_kept_again(app: ASGIApp, database: Database) -> None:
    named = EVENT | {"event_id": "E1"}
    first, second = tell(app, named), tell(app, named | {"source_system": "his"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    contradicts = tell(app, named | {"encounter_id": "V2"})
    assert (contradicts.status_code, contradicts.json()["details"]) == (409, {})
    assert tell(app, named | {"source_system": "lis"}).status_code == 201
    assert counted(database) == counted(database, "outbox") == counted(database, "message") == 2


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2025-06-05T11:06:00+23:00", "2025-06-04T12:06:00.000Z"),
        ("2025-06-05T11:06:00-23:59", "2025-06-06T11:05:00.000Z"),
        ("2025-06-05T11:06:00+05:00:00.123456", "2025-06-05T06:05:59.876Z"),
        ("0001-01-01T00:00:00-16:00", "0001-01-01T16:00:00.000Z"),
    ],
)
def test_an_offset_of_any_size_is_read(app: ASGIApp, given: str, moment: str) -> None:
    told = tell(app, EVENT | {"payload_json": {"timestamp": given}})
    assert told.status_code == 201
    assert look(app, f"{EVENTS}{told.json()['id']}/")["occurred_at"] == moment


@pytest.mark.parametrize(
    "value", [1e22, 1e16, -0.0, 1.5, 5e-324, 10**17, "1e22", None, [{"b": 1, "a": 1e300}]]
)
def test_an_exact_repeat_is_a_repeat_whatever_its_payload(app: ASGIApp, value: Any) -> None:
    named = EVENT | {"event_id": "E1", "payload_json": {"x": value}}
    assert [tell(app, named).status_code for _ in range(2)] == [201, 200]
    assert tell(app, named | {"payload_json": {"x": 7}}).status_code == 409


@pytest.mark.parametrize("source", ["dhos", "tie", "TIE"])
def test_a_source_may_have_a_name_that_we_use_ourselves(
    app: ASGIApp, database: Database, source: str
) -> None:
    id_ = tell(app, EVENT | {"source_system": source}).json()["id"]
    published(database)
    patched = ask(app, "PATCH", f"/dhos/v1/message/{id_}", token=internal(WRITE), json={"is_processed": True})
    assert patched.status_code == 204
    assert look(app, f"{EVENTS}{id_}/")["status"] == "processed"
    assert replay(database, UUID(id_), INTAKE, by="test").envelopes == 1
    assert [code for _, code in waiting(database)] == ["OPD"]


def test_an_event_is_counted_when_it_is_committed(app: ASGIApp, database: Database) -> None:
    def told() -> float:
        return REGISTRY.get_sample_value("connector_integration_events_total", {"outcome": "new"}) or 0.0

    def refuse(*_: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("gone"))

    before = told()
    event.listen(database.engine, "commit", refuse)
    try:
        assert tell(app, Idempotency_Key="1").status_code == 503
    finally:
        event.remove(database.engine, "commit", refuse)
    assert (told() - before, counted(database)) == (0, 0)
    assert tell(app, Idempotency_Key="1").status_code == 201
    assert (told() - before, counted(database)) == (1, 1)


def test_the_same_request_under_a_key_is_answered_as_the_first_time(app: ASGIApp, database: Database) -> None:
    key = uuid4().hex
    first = tell(app, Idempotency_Key=key)
    published(database)
    again = tell(app, Idempotency_Key=key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    other = tell(app, EVENT | {"encounter_id": "V2"}, Idempotency_Key=key)
    assert (other.status_code, set(other.json())) == (422, {"error", "details"})
    assert counted(database) == 1
    assert tell(app, Idempotency_Key="x" * 256).status_code == 400
    unfit = tell(app, {}, Idempotency_Key=key)
    assert (unfit.status_code, unfit.json()["error"]) == (400, "Invalid event data"), "the body comes first"


def test_a_key_is_its_callers_own(app: ASGIApp, database: Database) -> None:
    with_key = [{"X-API-Key": a_key(database, source)} for source in ("his", "lis")]
    for headers, source in zip(with_key, ("his", "lis"), strict=True):
        body = EVENT | {"source_system": source}
        answers = [
            ask(app, "POST", EVENTS, json=body, headers={**headers, "Idempotency-Key": "1"}) for _ in range(2)
        ]
        assert answers[0].json() == answers[1].json()
    assert tell(app, Idempotency_Key="1").status_code == 201
    assert counted(database) == 3


def test_a_refused_request_leaves_its_key_free(app: ASGIApp) -> None:
    assert tell(app, EVENT | {"payload_json": {"timestamp": "x"}}, Idempotency_Key="1").status_code == 400
    assert tell(app, Idempotency_Key="1").status_code == 201


def test_concurrent_copies_under_a_key_get_one_answer(database: Database) -> None:
    app = api(database, changes=UNLIMITED, WEB_THREADS="8")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: tell(app, Idempotency_Key="1"), range(24)))
    assert {each.status_code for each in answers} == {201}
    assert len({each.content for each in answers}) == 1
    assert counted(database, "outbox") == 1


def test_a_key_holder_tells_only_of_its_own_source_and_sees_only_it(app: ASGIApp, database: Database) -> None:
    his, lis = ({"X-API-Key": a_key(database, source)} for source in ("his", "lis"))
    assert ask(app, "POST", EVENTS, json=EVENT, headers=lis).status_code == 403
    id_ = ask(app, "POST", EVENTS, json=EVENT, headers=his).json()["id"]
    assert ask(app, "GET", EVENTS, headers=his).json()["count"] == 1
    assert ask(app, "GET", EVENTS, headers=lis).json()["count"] == 0
    for method, path in (("GET", f"{EVENTS}{id_}/"), ("POST", f"{EVENTS}{id_}/reprocess/")):
        assert ask(app, method, path, headers=his).status_code == 200
        assert ask(app, method, path, headers=lis).status_code == 404


def test_lists_are_filtered_and_paged_with_addresses_of_their_neighbours(app: ASGIApp) -> None:
    ids = [tell(app, EVENT | {"encounter_id": f"V{number}"}).json()["id"] for number in range(5)]
    first = look(app, page_size=2, search="v")
    assert (first["count"], first["previous"]) == (5, None)
    assert [each["id"] for each in first["results"]] == ids[:2:-1]
    assert first["next"].startswith(f"{EVENTS}?")
    second = look(app, first["next"])
    assert [each["id"] for each in second["results"]] == [ids[2], ids[1]]
    assert look(app, second["previous"]) == first
    assert look(app, page=4, page_size=2)["results"] == []
    assert look(app, page=10_001, page_size=2)["results"] == []  # `next` is never a page too far
    assert look(app, encounter_id="V3", status="pending", source_system="his", event_code="opd")["count"] == 1
    assert look(app, ordering="received_at")["results"][0]["id"] == ids[0]
    for bad in ({"status": "x"}, {"page": 0}, {"page_size": 1001}, {"ordering": "x"}, {"search": ""}):
        assert ask(app, "GET", EVENTS, token=TOKEN, params=bad).status_code == 400


def test_what_does_not_exist_is_404(app: ASGIApp) -> None:
    for path in (str(uuid4()), "no-uuid"):
        assert ask(app, "GET", f"{EVENTS}{path}/", token=TOKEN).status_code == 404
        assert ask(app, "POST", f"{EVENTS}{path}/reprocess/", token=TOKEN).status_code == 404


def test_a_processed_message_makes_its_event_processed(app: ASGIApp, database: Database) -> None:
    id_ = tell(app).json()["id"]
    published(database)
    path = f"/dhos/v1/message/{id_}"
    assert ask(app, "PATCH", path, token=internal(WRITE), json={"is_processed": True}).status_code == 204
    shown = look(app, f"{EVENTS}{id_}/")
    assert shown["status"] == "processed"
    assert shown["processed_at"] is not None


def test_without_a_database_nothing_is_answered_as_kept() -> None:
    without = api(changes=UNLIMITED)
    for path, body in ((EVENTS, EVENT), (f"{EVENTS}bulk_create/", {"events": [EVENT]})):
        answer = tell(without, body, path=path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert set(answer.json()) == {"error", "details"}
        assert tell(without, body, path=path, Idempotency_Key="1").status_code == 503
    assert (
        ask(without, "POST", EVENTS, json=EVENT, headers={"X-API-Key": "dhos_" + "a" * 43}).status_code == 503
    )
