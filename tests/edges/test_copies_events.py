"""Many events, each told one to five times at the same moment, have one effect each."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from sqlalchemy import text
from starlette.types import ASGIApp, Message, Scope

from dhos_connector_api.db.engine import Database
from tests.builders.api import UNLIMITED, api, internal

pytestmark = pytest.mark.slow
COPIES, AT_ONCE = 5, 16
TOKEN = internal("write:his")
#: A request: the number of its event, its headers, its body.
Request = tuple[int, dict[str, str], bytes]


def by_event_id(number: int) -> Request:
    return number, {}, _body(number, event_id=f"E{number}")


def by_idempotency_key(number: int) -> Request:
    return number, {"Idempotency-Key": f"K{number}"}, _body(number)


def _body(number: int, **more: str) -> bytes:
    event = {"source_system": "his", "event_code": "OPD", "encounter_id": f"V{number}"}
    return json.dumps(event | more).encode()


async def _post(app: ASGIApp, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Status and body of one request, without a client's own cost."""
    sent = {"Host": "connector.test", "Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/api/integrations/events/", "raw_path": b"/api/integrations/events/", "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("connector.test", 80),
        "headers": [
            (name.lower().encode(), value.encode())
            for name, value in {**sent, **headers, "Content-Length": str(len(body))}.items()
        ],
    }  # fmt: skip
    answer: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        answer.append(message)

    await app(scope, receive, send)
    return answer[0]["status"], b"".join(each.get("body", b"") for each in answer[1:])


async def _tell(app: ASGIApp, requests: list[Request]) -> dict[int, list[tuple[int, bytes]]]:
    """The answers by the number of the event; copies stand side by side, so they are under way together."""
    answers: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    left = iter(requests)

    async def work() -> None:
        for number, headers, body in left:
            answers[number].append(await _post(app, headers, body))

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return answers


@pytest.mark.parametrize(("door", "repeated"), [(by_event_id, 200), (by_idempotency_key, 201)])
def test_events_told_in_concurrent_copies_have_one_effect_each(
    database: Database, door: Callable[[int], Request], repeated: int
) -> None:
    events = 5_000
    app, draw = api(database, changes=UNLIMITED, WEB_THREADS="8"), Random(17)
    requests = [door(number) for number in range(events) for _ in range(draw.randint(1, COPIES))]
    assert len(requests) > 2 * events
    answers = asyncio.run(_tell(app, requests))
    told: dict[str, str] = {}
    for number, given in answers.items():
        statuses, bodies = Counter(status for status, _ in given), {body for _, body in given}
        assert statuses == Counter({201: 1}) + Counter({repeated: len(given) - 1})
        assert len(bodies) == 1
        shown: Any = json.loads(bodies.pop())
        assert shown["encounter_id"] == f"V{number}"
        told[shown["id"]] = shown["encounter_id"]
    with database.statements() as connection:
        rows = connection.execute(text("SELECT message_uuid, body FROM outbox")).all()
    effects = [
        (str(uuid), json.loads(bytes(body))["actions"][0]["data"]["encounter_id"]) for uuid, body in rows
    ]
    assert len(effects) == len(told) == events
    assert dict(effects) == told
