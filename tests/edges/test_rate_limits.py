"""Limits of requests to `/api/...`: who is told to wait, for how long, and who never is."""

import socket
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import flask
import pytest
from httpx import Response
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import SiteUnavailable
from dhos_connector_api.http.limits import RateLimiting
from dhos_connector_api.site.model import RateLimits, Site
from tests.builders.api import READ, WRITE, a_key, api, ask, internal, site_with
from tests.conftest import NO_SKIPS

EVENTS = "/api/integrations/events/"
EVENT = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1"}
FEW = site_with(rate_limits={"*": RateLimits(events_per_hour=3, requests_per_minute=2)})


def post(app: ASGIApp, key: str, body: dict[str, Any] = EVENT, path: str = EVENTS) -> Response:
    return ask(app, "POST", path, headers={"X-API-Key": key}, json=body)


def look(app: ASGIApp, user: str, path: str = EVENTS) -> Response:
    return ask(app, "GET", path, token=internal("read:his", metadata={"clinician_id": user}))


def statuses(*responses: Response) -> list[int]:
    return [each.status_code for each in responses]


def test_a_source_has_so_many_requests_an_hour_and_is_told_when_to_go_on(database: Database) -> None:
    app, key = api(database, changes=FEW), a_key(database)
    assert statuses(*(post(app, key) for _ in range(4))) == [201, 201, 201, 429]
    refused = post(app, key)
    assert refused.json() == {"error": "too many requests; Retry-After says when to go on", "details": {}}
    assert 3500 < int(refused.headers["Retry-After"]) <= 3601


def said(response: Response) -> tuple[str, str]:
    """Limit and what is left, once it is sure that the reset is when Retry-After says."""
    headers = response.headers
    reset = int(headers["X-RateLimit-Reset"]) - datetime.now(UTC).timestamp()
    assert abs(reset - int(headers["Retry-After"])) <= 2
    return headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]


def test_who_is_told_to_wait_is_told_limit_remaining_and_reset(database: Database) -> None:
    app, key = api(database, changes=FEW), a_key(database)
    assert said([post(app, key) for _ in range(4)][-1]) == ("3", "0")
    assert said([look(app, "a") for _ in range(3)][-1]) == ("2", "0")
    many = {"events": [EVENT]}
    assert said(post(app, key, many, f"{EVENTS}bulk_create/")) == ("3", "0")


def test_all_keys_of_a_source_count_together_and_no_other_source(database: Database) -> None:
    app, keys = api(database, changes=FEW), [a_key(database), a_key(database)]
    assert statuses(*(post(app, key) for key in keys * 2)) == [201, 201, 201, 429]
    assert post(app, a_key(database, "lis"), EVENT | {"source_system": "lis"}).status_code == 201


def test_a_bulk_request_counts_once(database: Database) -> None:
    app, key = api(database, changes=FEW), a_key(database)
    many = {"events": [EVENT] * 50}
    found = [post(app, key, many, f"{EVENTS}bulk_create/") for _ in range(4)]
    assert statuses(*found) == [201, 201, 201, 429]


def test_each_user_has_so_many_requests_a_minute_over_all_operations(database: Database) -> None:
    app = api(database, changes=FEW)
    assert statuses(look(app, "a"), look(app, "a", f"{EVENTS}mappings/"), look(app, "a")) == [200, 200, 429]
    assert 1 <= int(look(app, "a").headers["Retry-After"]) <= 61
    assert look(app, "b").status_code == 200


def test_a_key_that_only_looks_counts_as_a_user(database: Database) -> None:
    app, key = api(database, changes=FEW), a_key(database)
    found = [ask(app, "GET", EVENTS, headers={"X-API-Key": key}) for _ in range(3)]
    assert statuses(*found) == [200, 200, 429]
    assert post(app, key).status_code == 201


def test_the_site_says_how_many_by_source(database: Database) -> None:
    limits = {"lis": RateLimits(events_per_hour=1), "*": RateLimits(events_per_hour=2)}
    app = api(database, changes=site_with(rate_limits=limits))
    his, lis = a_key(database, "HIS"), a_key(database, "LIS")
    assert statuses(*(post(app, his) for _ in range(3))) == [201, 201, 429]
    assert statuses(*(post(app, lis, EVENT | {"source_system": "lis"}) for _ in range(2))) == [201, 429]


def test_bad_callers_use_up_nobodys_requests(database: Database) -> None:
    app, key = api(database, changes=FEW), a_key(database)
    assert {post(app, "garbage").status_code for _ in range(9)} == {401}
    assert post(app, key).status_code == 201


def test_outside_api_there_is_no_limit(database: Database) -> None:
    app = api(database, changes=FEW)
    path, unknown = f"/dhos/v1/message/{uuid4()}", {404}
    patched = [ask(app, "PATCH", path, token=internal(WRITE), json={"is_processed": True}) for _ in range(9)]
    read = [ask(app, "GET", path, token=internal(READ)) for _ in range(9)]
    assert {each.status_code for each in (*patched, *read)} == unknown


def test_requests_that_have_no_limit_never_meet_the_limiter() -> None:
    application = flask.Flask("any")
    RateLimiting(Site, ()).install(application)
    hooks = (application.before_request_funcs, application.after_request_funcs)
    assert not any((*hooks, application.teardown_request_funcs))


def test_a_site_that_is_not_there_yet_gives_the_default_limits(database: Database) -> None:
    def nowhere() -> Any:
        raise SiteUnavailable("not yet")

    app = api(database, changes={"limits": RateLimiting(nowhere, ())})
    assert statuses(*(look(app, "a") for _ in range(101))) == [200] * 100 + [429]


@pytest.fixture
def redis() -> str:
    """The Redis of this machine."""
    try:
        socket.create_connection(("127.0.0.1", 6379), timeout=1).close()
    except OSError:
        if NO_SKIPS:
            raise
        pytest.skip("no Redis here")
    return "redis://127.0.0.1:6379/0"


def test_with_redis_all_web_processes_count_together(database: Database, redis: str) -> None:
    user, apps = uuid4().hex, [api(database, changes=FEW, RATE_LIMIT_STORAGE=redis) for _ in range(3)]
    assert statuses(*(look(app, user) for app in apps)) == [200, 200, 429]


def test_without_redis_each_web_process_counts_its_own(database: Database) -> None:
    apps = [api(database, changes=FEW) for _ in range(3)]
    assert statuses(*(look(app, "a") for app in apps)) == [200, 200, 200]


def test_redis_away_takes_no_request_down_and_limits_go_on(database: Database) -> None:
    app = api(database, changes=FEW, RATE_LIMIT_STORAGE="redis://127.0.0.1:1/0")
    assert statuses(*(look(app, "a") for _ in range(3))) == [200, 200, 429]


def test_redis_that_does_not_answer_takes_no_request_down(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        app = api(database, changes=FEW, RATE_LIMIT_STORAGE=address)
        assert statuses(*(look(app, "a") for _ in range(3))) == [200, 200, 429]
