"""Serves `/metrics`, `/running` and `/ready` on a port of its own, within the bounds of all HTTP here."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Thread

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import Receive, Scope, Send

from dhos_connector_api.errors import BadSetting, NotFound, StorageUnavailable
from dhos_connector_api.http import problems
from dhos_connector_api.http.answers import JSON, send_answer
from dhos_connector_api.http.leaving import Leaving
from dhos_connector_api.http.open_connections import ConnectionLimits
from dhos_connector_api.http.serving import configuration

#: Connections are few here, and each is made for one request.
LIMITS = ConnectionLimits(most=100, most_of_peer=50, headers=5, body=5, answer=10, idle=10)
#: Seconds that answers under way still have when the process ends, and then the thread to end.
GRACE, ENDING = 2.0, 1.0


class MetricsApp:
    """ASGI: the metrics at `/metrics`, at `/running` that the process runs, at `/ready` that it can work.

    `text` and `check` may wait; `check` raises StorageUnavailable where the process cannot do its work.
    """

    def __init__(self, text: Callable[[], bytes], check: Callable[[], None]) -> None:
        self._text = text
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["path"] == "/metrics" and scope["method"] in ("GET", "HEAD"):
            await send_answer(send, 200, await asyncio.to_thread(self._text), CONTENT_TYPE_LATEST)
        elif scope["path"] == "/running" and scope["method"] in ("GET", "HEAD"):
            await send_answer(send, 200, b'{"running": true}', JSON)
        elif scope["path"] == "/ready" and scope["method"] in ("GET", "HEAD"):
            await self._send_ready(send)
        else:
            await problems.send(send, NotFound("there is nothing under this address"), scope["path"])

    async def _send_ready(self, send: Send) -> None:
        try:
            await asyncio.to_thread(self._check)
        except StorageUnavailable as failure:
            await problems.send(send, failure, "/ready")
        else:
            await send_answer(send, 200, b'{"ready": true}', JSON)


def serve(application: MetricsApp, port: int, setting: str) -> None:
    """Serve it until SIGTERM or SIGINT. Raises BadSetting that names the `setting` of the port."""
    listening = _listener(port, setting)
    uvicorn.Server(configuration(application, LIMITS, Leaving())).run(sockets=[listening])


@contextmanager
def served_beside(application: MetricsApp, port: int, setting: str) -> Iterator[None]:
    """Serve it from a thread until the block ends. Raises BadSetting that names the `setting` of the port.

    The thread has ended then: one that still runs the event loop's C code while the interpreter is taken
    down brings the process down with it (SIGSEGV instead of its exit status).
    """
    server = uvicorn.Server(configuration(application, LIMITS, Leaving()))
    run = partial(server.run, sockets=[_listener(port, setting)])
    thread = Thread(target=run, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(GRACE)
        server.force_exit = True
        thread.join(ENDING)


def _listener(port: int, setting: str) -> socket.socket:
    try:
        return socket.create_server(("", port))
    except OSError as error:
        raise BadSetting(f"{setting} cannot be listened on: {error.strerror}") from None
