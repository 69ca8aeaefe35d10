"""Whose an Idempotency-Key is, and what it may look like."""

import json
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from starlette.types import ASGIApp

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.events import idempotency
from dhos_connector_api.events.idempotency import Answer, Request
from tests.builders.api import a_key, ask, internal, shared_api
from tests.rigs.stored import count

EVENTS = "/api/integrations/events/"
EVENT: dict[str, Any] = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1"}
TOKEN = internal("write:his")


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return shared_api(database, unlimited=True)


def under_a_key(app: ASGIApp, key: str = "1", **request: Any) -> Response:
    """One event under that key; a token or headers say who tells of it."""
    headers = {"Idempotency-Key": key, **request.pop("headers", {})}
    return ask(
        app, "POST", request.pop("path", EVENTS), json=request.pop("body", EVENT), headers=headers, **request
    )


def test_no_two_callers_share_their_keys(app: ASGIApp, database: Database) -> None:
    def of(**metadata: str) -> dict[str, Any]:
        return {"token": internal("write:his", metadata=metadata)}

    callers: list[dict[str, Any]] = [
        *(of(system_id=name) for name in ("his", "None", "internal", "post_event", "system_id")),
        *(of(**{kind: "his"}) for kind in ("patient_id", "device_id", "clinician_id")),
        {"headers": {"X-API-Key": a_key(database, "his")}},
        of(system_id="his") | {"path": "/api/simulator/his-events/"},
        of(system_id="his") | {"path": f"{EVENTS}bulk_create/", "body": {"events": [EVENT]}},
    ]
    first = [under_a_key(app, **dict(each)) for each in callers]
    again = [under_a_key(app, **dict(each)) for each in callers]
    assert [each.status_code for each in first] == [201] * len(callers)
    assert [each.content for each in first] == [each.content for each in again]
    assert count(database, "integration_event") == len(callers)


@pytest.mark.parametrize(
    "metadata", [None, {}, {"system_id": ""}, {"system_id": "x" * 256}, {"name": "x"}, "x"]
)
def test_a_caller_without_a_name_has_no_keys(app: ASGIApp, database: Database, metadata: Any) -> None:
    token = internal("write:his", metadata=metadata)
    answer = under_a_key(app, token=token)
    assert answer.status_code == 400
    assert list(answer.json()["details"]) == ["Idempotency-Key"]
    assert count(database, "integration_event") == 0
    assert ask(app, "POST", EVENTS, token=token, json=EVENT).status_code == 201


def test_a_key_is_printable_ascii_of_255_characters(app: ASGIApp) -> None:
    for key, status in (("x" * 255, 201), ("a b~", 201), ("x" * 256, 400), ("", 400)):
        assert under_a_key(app, key, token=TOKEN).status_code == status
    for raw in (b"\xff", b"a\tb", "ä".encode()):
        answer = ask(app, "POST", EVENTS, token=TOKEN, json=EVENT, pairs=[(b"Idempotency-Key", raw)])
        assert answer.status_code == 400


def test_a_key_of_a_system_that_an_older_build_has_taken_is_known(app: ASGIApp, database: Database) -> None:
    raw = json.dumps(EVENT).encode()
    key = sha256(b"token\0internal\0dhos-robot\0post_event\x001").digest()
    old = Request(key, sha256(raw).digest())
    with database.transaction() as connection:
        idempotency.claim(connection, old, uuid4(), at=clock.now())
        idempotency.answer(connection, old, Answer(201, b'{"id": "kept before"}'))
    headers = {"Idempotency-Key": "1", "Content-Type": "application/json"}
    answer = ask(app, "POST", EVENTS, token=TOKEN, content=raw, headers=headers)
    assert answer.json() == {"id": "kept before"}
