"""Webhooks over HTTP: the signature over the raw body first, replays, and never a 5xx."""

import asyncio
import base64
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from httpx import Response
from prometheus_client import REGISTRY
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.app.web import webhook_secrets
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.http.settings import WebhookSettings
from dhos_connector_api.site.model import RateLimits, Site, WebhookOptions
from tests.builders.api import a_key, api, ask
from tests.builders.his import (
    HIS_SECRET,
    HIS_SECRET_BEFORE,
    INTAKE,
    SITE,
    STANDARD_SECRET,
    payload,
    raw_of,
    signed_headers,
    standard_headers,
    webhook,
)
from tests.builders.rows import settings

PATH = "/api/v1/webhooks/{}/events"
_UNLIMITED = {"*": RateLimits(events_per_hour=1_000_000, requests_per_minute=1_000_000)}
HIS = replace(SITE.his, rate_limits=_UNLIMITED, webhooks={"lis": WebhookOptions(form="standard")})
UNLIMITED = replace(INTAKE, site=Site(his=HIS))
#: Bytes that no HTTP server lets through in a header.
_NOT_IN_HEADERS = {*range(32), 127}


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return api(
        database,
        changes={"intake": lambda: UNLIMITED},
        HIS_WEBHOOK_SECRET=HIS_SECRET,
        HIS_WEBHOOK_SECRET_PREVIOUS=HIS_SECRET_BEFORE,
        LIS_WEBHOOK_SECRET=STANDARD_SECRET,
    )


def post(app: ASGIApp, raw: bytes, headers: Mapping[str, str | bytes], source: str = "his") -> Response:
    return ask(app, "POST", PATH.format(source), content=raw, headers=headers)


def count(database: Database, table: str) -> int:
    with database.statements() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def counted(source: str, outcome: str) -> float:
    labels = {"source": source, "outcome": outcome}
    return REGISTRY.get_sample_value("connector_webhooks_total", labels) or 0.0


def test_either_form_is_taken_with_either_secret_and_what_was_signed_is_the_raw_body(app: ASGIApp) -> None:
    spaced = b' {"event" :  "VISIT_STARTED",\r\n "occurred_at": "2025-06-05T11:06:00Z", "x": 1.0e0} '
    answers = [
        post(app, spaced, signed_headers(spaced)),
        post(app, raw := raw_of(webhook()), signed_headers(raw, HIS_SECRET_BEFORE)),
        post(app, raw := raw_of(webhook()), standard_headers(raw, HIS_SECRET)),
        post(
            app,
            raw := raw_of(webhook(event="RESULT_AVAILABLE")),
            standard_headers(raw, STANDARD_SECRET),
            "lis",
        ),
    ]
    assert [(each.status_code, each.json()["status"]) for each in answers] == [(200, "accepted")] * 4
    assert all(each.json()["success"] and each.json()["id"] for each in answers)


def test_a_replay_is_answered_alike_and_does_nothing(app: ASGIApp, database: Database) -> None:
    raw = raw_of(webhook())
    first, again = (post(app, raw, standard_headers(raw, HIS_SECRET, id_="msg_a")).json() for _ in range(2))
    assert (first["status"], again["status"], again["id"]) == ("accepted", "repeated", first["id"])
    assert count(database, "outbox") == count(database, "message") == 1


def test_an_event_nobody_knows_is_kept_as_ignored(app: ASGIApp, database: Database) -> None:
    raw = raw_of(webhook(event="COFFEE_SERVED"))
    assert post(app, raw, signed_headers(raw)).json()["status"] == "ignored"
    assert (count(database, "outbox"), count(database, "message")) == (0, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-HIS-Signature": ""},
        {"X-HIS-Signature": "sha256="},
        {"X-HIS-Signature": "0" * 64},
        {"X-LIS-Signature": "0" * 64},
        {"webhook-id": "a", "webhook-timestamp": "1749110760", "webhook-signature": "v1,x"},
    ],
)
@pytest.mark.parametrize("raw", [raw_of(webhook()), b"{", b"\xff"])
def test_a_bad_signature_is_401_and_only_counted(
    app: ASGIApp, database: Database, headers: dict[str, str], raw: bytes
) -> None:
    before = counted("his", "bad_signature")
    response = post(app, raw, {"Content-Type": "application/json"} | headers)
    assert response.status_code == 401
    assert set(response.json()) == {"error", "details"}
    assert counted("his", "bad_signature") == before + 1
    assert count(database, "message") == count(database, "integration_event") == 0


def test_each_endpoint_has_a_secret_of_its_own(app: ASGIApp) -> None:
    raw = raw_of(webhook())
    for source in ("lis", "emr"):
        headers = signed_headers(raw) | signed_headers(raw, source=source.upper())
        assert post(app, raw, headers, source).status_code == 401


def test_an_endpoint_that_requires_the_standard_form_refuses_the_other(app: ASGIApp) -> None:
    raw = raw_of(webhook())
    assert post(app, raw, signed_headers(raw, STANDARD_SECRET, "LIS"), "lis").status_code == 401
    assert post(app, raw, standard_headers(raw, STANDARD_SECRET), "lis").status_code == 200


def test_a_signed_body_that_does_not_fit_is_400_and_kept(app: ASGIApp, database: Database) -> None:
    changes: list[dict[str, Any]] = [{"occurred_at": "CANARY"}, {"event_id": ["CANARY"]}]
    bodies = [b"{", b"\xff", b"{}", *(raw_of(webhook(**each)) for each in changes)]
    for raw in bodies:
        response = post(app, raw, signed_headers(raw))
        assert (response.status_code, set(response.json())) == (400, {"error", "details"})
        assert response.json()["details"]
        assert "CANARY" not in response.text
    assert count(database, "message") == 5


def test_a_secret_that_is_no_base64_stops_the_start() -> None:
    with pytest.raises(BadSetting, match="LIS_WEBHOOK_SECRET"):
        webhook_secrets(settings(LIS_WEBHOOK_SECRET="whsec_ü" + "x" * 40).of(WebhookSettings))


def few(database: Database) -> ASGIApp:
    """The application for a site that lets three requests an hour through."""
    limits = {"*": RateLimits(events_per_hour=3, requests_per_minute=100)}
    intake = replace(INTAKE, site=Site(his=replace(HIS, rate_limits=limits)))
    return api(database, changes={"intake": lambda: intake}, HIS_WEBHOOK_SECRET=HIS_SECRET)


def test_whoever_has_seen_a_webhook_cannot_use_up_the_limit_with_it(database: Database) -> None:
    app, bad = few(database), raw_of(webhook(occurred_at="x"))
    captured = raw_of(webhook())
    for raw in (captured, bad):
        found = [post(app, raw, signed_headers(raw)).status_code for _ in range(9)]
        assert set(found) == {200 if raw is captured else 400}
    assert count(database, "message") == 2
    fresh = [post(app, raw := raw_of(webhook()), signed_headers(raw)) for _ in range(2)]
    assert [each.status_code for each in fresh] == [200, 429]
    assert fresh[1].headers["X-RateLimit-Remaining"] == "0"
    assert int(fresh[1].headers["X-RateLimit-Limit"]) >= 1
    assert fresh[1].json()["error"].startswith("too many requests")
    assert post(app, captured, signed_headers(captured)).json()["status"] == "repeated"


def test_another_webhook_under_a_known_id_counts_once_against_the_limit(database: Database) -> None:
    app = few(database)
    first, other = raw_of(webhook(event_id="E1")), raw_of(webhook(event_id="E1"))
    statuses = [post(app, raw, signed_headers(raw)).status_code for raw in (first, *[other] * 4)]
    assert statuses == [200, 409, 409, 409, 409]
    fresh = [post(app, raw := raw_of(webhook()), signed_headers(raw)).status_code for _ in range(2)]
    assert fresh == [200, 429]


def test_webhooks_use_nothing_up_of_what_a_source_has_for_patient_data(database: Database) -> None:
    app, key = few(database), {"X-API-Key": a_key(database)}
    assert [post(app, raw := raw_of(webhook()), signed_headers(raw)).status_code for _ in range(4)][3] == 429
    path = "/api/integrations/his-patient-data/"
    found = [ask(app, "POST", path, json=payload(), headers=key).status_code for _ in range(4)]
    assert found == [200, 200, 200, 429]


def test_a_captured_standard_webhook_is_not_taken_in_the_other_form(app: ASGIApp, database: Database) -> None:
    raw = raw_of(webhook())
    seen = standard_headers(raw, HIS_SECRET)
    whole = f"{seen['webhook-id']}.{seen['webhook-timestamp']}.".encode() + raw
    digest = base64.b64decode(seen["webhook-signature"].removeprefix("v1,")).hex()
    headers = {"Content-Type": "application/json", "X-HIS-Signature": digest}
    assert post(app, whole, headers).status_code == 401
    assert count(database, "message") == 0


@pytest.mark.parametrize("flips", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_of_many_bit_flips_none_is_taken(app: ASGIApp, database: Database, flips: int) -> None:
    numbers = random.Random(3)
    raw = raw_of(webhook())
    forms = [signed_headers(raw), standard_headers(raw, HIS_SECRET)]
    requests: list[tuple[bytes, dict[str, bytes]]] = []
    while len(requests) < flips:
        headers = {name: value.encode() for name, value in numbers.choice(forms).items()}
        part = numbers.choice(["body", *(name for name in headers if name != "Content-Type")])
        if part == "body":
            requests.append((flipped(raw, numbers), headers))
            continue
        headers[part] = flipped(headers[part], numbers)
        if not set(headers[part]) & _NOT_IN_HEADERS:
            requests.append((raw, headers))
    assert set(asyncio.run(statuses(app, requests))) == {401}
    assert count(database, "message") == count(database, "integration_event") == 0


async def statuses(app: ASGIApp, requests: list[tuple[bytes, dict[str, bytes]]]) -> list[int]:
    """What each of many requests was answered, one after the other."""
    transport, path = httpx.ASGITransport(app), PATH.format("his")
    async with httpx.AsyncClient(transport=transport, base_url="http://connector.test") as client:
        return [
            (
                await client.post(
                    path, content=raw, headers=[(name.encode(), value) for name, value in headers.items()]
                )
            ).status_code
            for raw, headers in requests
        ]


def flipped(text_: bytes, numbers: random.Random) -> bytes:
    """The bytes with one bit turned."""
    changed = bytearray(text_)
    changed[numbers.randrange(len(changed))] ^= 1 << numbers.randrange(8)
    return bytes(changed)
