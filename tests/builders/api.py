"""The HTTP door for tests: the real application, requests to it, tokens of every kind, a real server."""

import asyncio
import base64
import hmac
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha512
from typing import Any
from uuid import uuid4

import httpx
import uvicorn
from sqlalchemy import create_engine
from starlette.types import ASGIApp

from dhos_connector_api.access import store as keys
from dhos_connector_api.app.web import create_app
from dhos_connector_api.auth import api_keys
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries.send import Outbound
from dhos_connector_api.http.leaving import Leaving
from dhos_connector_api.http.open_connections import ConnectionLimits
from dhos_connector_api.http.serving import configuration
from dhos_connector_api.site.model import His, RateLimits, SendConfig, Site
from tests.builders.intake import INTAKE
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY, INTERNAL_KEY, ISSUER, settings

WRITE = "write:hl7_message"
READ = "read:hl7_message"
#: A site that sends observation sets, with both destinations set up.
OUTBOUND = Outbound(
    site=Site(send_config=SendConfig(generate_oru_messages=True)),
    zone=UTC,
    transform=None,
    destinations=frozenset({"epr", "mirth"}),
)
#: A database nobody answers for: port 1 of this machine.
NO_DATABASE = Database(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))


def nothing() -> None:
    """A readiness check that finds nothing wrong."""


def api(
    database: Database = NO_DATABASE, *, changes: dict[str, Any] | None = None, **environ: str
) -> ASGIApp:
    """The whole HTTP application. `changes` are other parts of Services, keywords are settings."""
    parts: dict[str, Any] = {
        "database": database,
        "key_database": database,
        "intake": lambda: INTAKE,
        "outbound": lambda: OUTBOUND,
        "check_ready": nothing,
        "metrics": lambda: b"up 1.0\n",
    }
    return create_app(settings(**{"WEB_THREADS": "2", **environ}), **(parts | (changes or {})))


def ask(app: ASGIApp, method: str, path: str, *, token: str | None = None, **request: Any) -> httpx.Response:
    """One request to the application; it must never raise. `pairs` are headers that may repeat.

    Requests of several threads share one event loop, as those of a process do.
    """
    headers = [*dict(request.pop("headers", {})).items(), *request.pop("pairs", ())]
    if token is not None:
        headers.append(("Authorization", f"Bearer {token}"))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://connector.test") as client:
            return await client.request(method, path, headers=headers, **request)

    with _ONE_LOOP:  # `cache` would make one for each thread that comes first
        loop = _event_loop()
    return asyncio.run_coroutine_threadsafe(send(), loop).result()


_ONE_LOOP = threading.Lock()


@cache
def _event_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="ask", daemon=True).start()
    return loop


def a_key(database: Database, source: str = "his", *, revoked: bool = False, expired: bool = False) -> str:
    """A new API key of that source."""
    made, id_, now = api_keys.make(secrets.token_bytes(api_keys.KEY_BYTES)), uuid4(), datetime.now(UTC)
    with database.transaction() as connection:
        keys.add(connection, id_, made, source=source, at=now, by="test")
        if revoked:
            keys.revoke(connection, id_, at=now, by="test")
        if expired:
            ended = api_keys.make(secrets.token_bytes(api_keys.KEY_BYTES))
            keys.rotate(connection, id_, uuid4(), ended, overlap=timedelta(0), at=now, by="test")
    return made.text


def site_with(**his: Any) -> dict[str, Any]:
    """`changes` for `api`: a site with that part `his`."""
    return {"intake": lambda: replace(INTAKE, site=Site(his=His(**his)))}


#: `changes` for `api`: nobody is told to wait.
UNLIMITED = site_with(rate_limits={"*": RateLimits(10**8, 10**8)})


@cache
def shared_api(database: Database = NO_DATABASE, *, unlimited: bool = False) -> ASGIApp:
    """The application on that database, made once for all tests that do not end it.

    It remembers tokens and, where not `unlimited`, how often somebody came.
    """
    return api(database, changes=UNLIMITED if unlimited else None)


def message_body(raw: bytes) -> dict[str, str]:
    """The JSON body that carries that message."""
    return {"type": "HL7v2", "body": base64.b64encode(raw).decode()}


def claims(*scopes: str, **changes: Any) -> dict[str, Any]:
    """The claims of a valid internal token; a change to None leaves the claim out.

    It holds for a day: a token made while pytest collects must outlast the whole suite.
    """
    now = datetime.now(UTC).timestamp()
    values = {
        "iss": ISSUER,
        "aud": ISSUER,
        "exp": int(now) + 86_400,
        "scope": " ".join(scopes),
        "metadata": {"system_id": "dhos-robot"},
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


def signed(
    payload: dict[str, Any] | bytes, key: str = INTERNAL_KEY, *, digest: Any = sha512, **header: Any
) -> str:
    """A token made by hand, so that nothing of the code under test has a say in it."""
    header = {"typ": "JWT", "alg": "HS512"} | header
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    start = f"{_url(json.dumps(header).encode())}.{_url(raw)}"
    return f"{start}.{_url(hmac.new(key.encode(), start.encode(), digest).digest())}"


def _url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def internal(*scopes: str, **changes: Any) -> str:
    """A token of the platform."""
    return signed(claims(*scopes, **changes))


def adapter(*scopes: str, **changes: Any) -> str:
    """A token of the EPR adapter: its own `iss` and key, our audience."""
    return signed(claims(*scopes, iss=ADAPTER_ISSUER, **changes), ADAPTER_KEY)


@contextmanager
def serving(app: ASGIApp, limits: ConnectionLimits | None = None) -> Iterator[int]:
    """The application behind a real server, as in production; gives its port."""
    server = uvicorn.Server(configuration(app, limits or ConnectionLimits(), Leaving()))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
