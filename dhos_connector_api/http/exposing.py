"""Serves `/metrics` on a port of its own, with the bounds that every HTTP connection here has."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from threading import Thread

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import Receive, Scope, Send

from dhos_connector_api.errors import BadSetting, NotFound
from dhos_connector_api.http import problems
from dhos_connector_api.http.answers import JSON, send_answer
from dhos_connector_api.http.leaving import Leaving
from dhos_connector_api.http.open_connections import ConnectionLimits
from dhos_connector_api.http.serving import configuration

#: Connections are few here, and each is made for one request.
LIMITS = ConnectionLimits(most=100, most_of_peer=50, headers=5, body=5, answer=10, idle=10)


class MetricsApp:
    """ASGI: the metrics at `/metrics`, and at `/running` that the process runs. `text` may wait."""

    def __init__(self, text: Callable[[], bytes]) -> None:
        self._text = text

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
        else:
            await problems.send(send, NotFound("there is nothing under this address"), scope["path"])


def serve(text: Callable[[], bytes], port: int, setting: str) -> None:
    """Serve the metrics until SIGTERM or SIGINT. Raises BadSetting that names the `setting` of the port."""
    listening = _listener(port, setting)
    uvicorn.Server(configuration(MetricsApp(text), LIMITS, Leaving())).run(sockets=[listening])


def serve_beside(text: Callable[[], bytes], port: int, setting: str) -> None:
    """Serve the metrics from a thread, for as long as the process runs. Raises BadSetting."""
    server = uvicorn.Server(configuration(MetricsApp(text), LIMITS, Leaving()))
    run = partial(server.run, sockets=[_listener(port, setting)])
    Thread(target=run, name="metrics", daemon=True).start()


def _listener(port: int, setting: str) -> socket.socket:
    try:
        return socket.create_server(("", port))
    except OSError as error:
        raise BadSetting(f"{setting} cannot be listened on: {error.strerror}") from None
