"""X-Request-ID: taken over or made, in every log line and every answer; and the time a request took."""

import logging
import re
from collections.abc import Iterable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dhos_connector_api import clock
from dhos_connector_api.http import call
from dhos_connector_api.http.metrics import REQUEST_SECONDS
from dhos_connector_api.log import correlation_id

_log = logging.getLogger(__name__)

#: What may be taken over: it goes into AMQP short strings, headers and logs.
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_BAD_REQUEST = 400


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The sender's X-Request-ID if there is a usable one, otherwise a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _ACCEPTABLE.fullmatch(value):
            return value.decode("ascii")
    return clock.new_uuid(clock.now()).hex


class RequestId:
    """ASGI: the outermost layer; gives every request its id and counts it when it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        request_id = request_id_of(scope["headers"])
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        call.begin(scope, call.Call(request_id))
        before = correlation_id.set(request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            _count(scope, status, perf_counter() - started)
            correlation_id.reset(before)


def _count(scope: Scope, status: int, seconds: float) -> None:
    """Count the answer; `status` is 0 when the client left before there was one.

    Neither path nor query is logged: they hold identifiers.
    """
    operation = call.operation_id(scope) or "none"
    REQUEST_SECONDS.labels(operation, str(status)).observe(seconds)
    level = logging.DEBUG if 0 < status < _BAD_REQUEST else logging.INFO
    if _log.isEnabledFor(level):
        milliseconds = round(seconds * 1000, 1)
        _log.log(level, "answered", extra={"operation": operation, "status": status, "ms": milliseconds})
