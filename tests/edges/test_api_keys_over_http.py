"""API keys over HTTP: shown once, used, rotated, ended."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from httpx import Response
from starlette.types import ASGIApp

from dhos_connector_api.access.store import KnownKey
from dhos_connector_api.auth import api_keys
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Overloaded, TokenRejected
from dhos_connector_api.http import call
from dhos_connector_api.http.key_security import MOST_WAITING, KeySecurity
from tests.builders.api import a_key, ask, internal, shared_api

KEYS = "/api/integrations/api-keys/"
ADMIN = internal("admin:his")


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database, without limits."""
    return shared_api(database, unlimited=True)


def post(app: ASGIApp, path: str = KEYS, **body: object) -> Response:
    return ask(app, "POST", path, token=ADMIN, json=body)


def works(app: ASGIApp, key: str) -> bool:
    answer = ask(app, "GET", "/api/integrations/events/", headers={"X-API-Key": key})
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def test_a_key_is_shown_once_and_works_until_it_is_revoked(app: ASGIApp) -> None:
    answer = post(app, source_system="his")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    key, shown = answer.json()["api_key"], answer.json()["key"]
    assert works(app, key)
    listed = ask(app, "GET", KEYS, token=ADMIN)
    assert key not in listed.text
    assert [each["id"] for each in listed.json()] == [shown["id"]]
    assert listed.json()[0]["last_used_at"] is not None
    revoked = post(app, f"{KEYS}{shown['id']}/revoke/")
    assert revoked.json()["revoked_at"] is not None
    assert not works(app, key)


def test_a_rotation_has_two_keys_that_work_for_as_long_as_it_says(app: ASGIApp) -> None:
    first = post(app, source_system="his").json()
    second = post(app, f"{KEYS}{first['key']['id']}/rotate/").json()
    assert works(app, first["api_key"])
    assert works(app, second["api_key"])
    assert post(app, f"{KEYS}{first['key']['id']}/rotate/").status_code == 409
    third = post(app, f"{KEYS}{second['key']['id']}/rotate/", overlap_seconds=0).json()
    assert [works(app, each["api_key"]) for each in (first, second, third)] == [True, False, True]
    assert third["key"]["source_system"] == "his"


def test_what_does_not_exist_is_404(app: ASGIApp) -> None:
    for id_ in ("01989f4c-3d5e-7c3b-9d0e-5a7b1c2d3e51", "no-uuid"):
        assert post(app, f"{KEYS}{id_}/revoke/").status_code == 404
        assert post(app, f"{KEYS}{id_}/rotate/").status_code == 404
    assert ask(app, "GET", KEYS, token=ADMIN, params={"source_system": "lis"}).json() == []


@pytest.mark.parametrize("overlap", [-1, 7776001, "7d", None])
def test_an_overlap_that_cannot_be_meant_is_refused(app: ASGIApp, overlap: object) -> None:
    id_ = post(app, source_system="his").json()["key"]["id"]
    assert post(app, f"{KEYS}{id_}/rotate/", overlap_seconds=overlap).status_code == 400


def test_keys_that_somebody_invents_do_not_hold_up_those_that_are_good(database: Database) -> None:
    security, go = _Security(database), asyncio.Event()
    good = a_key(database)
    bad = [api_keys.make(number.to_bytes(api_keys.KEY_BYTES)).text for number in range(MOST_WAITING + 10)]

    async def scenario() -> list[BaseException | None]:
        security.loop = asyncio.get_running_loop()
        await security.look_up(good)
        security.held_up = go
        flood = [asyncio.create_task(security.look_up(each)) for each in bad]
        await asyncio.sleep(0.1)
        await asyncio.wait_for(security.look_up(good), 2)
        go.set()
        return await asyncio.gather(*flood, return_exceptions=True)

    answers = asyncio.run(scenario())
    assert {type(each) for each in answers} == {TokenRejected, Overloaded}
    assert sum(isinstance(each, Overloaded) for each in answers) == 9, "no more than may wait do"


class _Security(KeySecurity):
    """Keys whose looking up takes until `held_up` is set, but for one that is good."""

    loop: asyncio.AbstractEventLoop
    held_up: asyncio.Event | None = None

    async def look_up(self, key: str) -> None:
        scope: dict[str, Any] = {"headers": [(b"x-api-key", key.encode())]}
        call.begin(scope, call.Call("request-1"))
        await self.get_fn({}, [])(SimpleNamespace(scope=scope))

    def _find(self, hash_: bytes) -> KnownKey | None:
        found = super()._find(hash_)
        if found is None and self.held_up is not None:
            asyncio.run_coroutine_threadsafe(self.held_up.wait(), self.loop).result(10)
        return found
