"""The outermost layer: what every request goes through before it is known what it asks for.

It gives the request its id, which is in every log line and in the answer; answers probes, with no thread,
database or Flask between them and the probe; answers whatever is raised within; and counts the answer. It
is one layer because each layer costs every request. No body is read here: nobody knows yet who sends it.
"""

import json
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dhos_connector_api.errors import ClientGone
from dhos_connector_api.http import call, headers, problems
from dhos_connector_api.http.answers import JSON, send_answer
from dhos_connector_api.http.body_limit import BodyLimit
from dhos_connector_api.http.connection import CYCLE
from dhos_connector_api.http.counting import count
from dhos_connector_api.http.headers import RequestHeaders
from dhos_connector_api.log import correlation_id
from dhos_connector_api.spec.document import WING

_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
#: Where every address ends in a slash; without it, as the predecessor's callers know it, it means the same.
_SLASHED = ("/api/integrations/", "/api/simulator/", *WING)


class Front:
    """ASGI: hands on requests with a Content-Type, and gives the room of their bodies back at the end.

    `probes` are answered by path, as JSON.
    """

    def __init__(self, app: ASGIApp, probes: Mapping[str, Mapping[str, Any]], bodies: BodyLimit) -> None:
        self._app = app
        self._probes = {path: json.dumps(answer).encode() for path, answer in probes.items()}
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        found = headers.read(scope["headers"])
        request_id = found.request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        cycle = (scope.get("extensions") or {}).get(CYCLE)
        here = call.Call(request_id, length=found.length, coding=found.coding, cycle=cycle)
        call.begin(scope, here)
        before = correlation_id.set(request_id)
        try:
            await self._answer(scope, found, receive, send_with_id)
        finally:
            self._bodies.release(here)
            count(call.operation_id(scope), status, perf_counter() - started)
            correlation_id.reset(before)

    async def _answer(self, scope: Scope, found: RequestHeaders, receive: Receive, send: Send) -> None:
        """Answer the request, whatever is raised: nothing gets past this to the server's own log."""
        try:
            method, path = scope["method"], scope["path"]
            if path in self._probes and method in ("GET", "HEAD"):
                await send_answer(send, 200, self._probes[path], JSON)
                return
            scope["headers"] = headers.of_body(found, expected=method in _WITH_BODY)
            if not path.endswith("/") and f"{path}/".startswith(_SLASHED):
                scope["path"] = f"{path}/"
            await self._app(scope, receive, send)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the last resort
            await problems.send(send, error, scope["path"])
