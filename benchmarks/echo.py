"""The yardstick server: plain Flask that decodes the same body and echoes it, served as the Connector is.

`python -m benchmarks.echo PORT`: uvicorn with uvloop and httptools, one hop to Flask, one process.
"""

import base64
import socket
import sys
from typing import Any

import flask
import uvicorn
from starlette.types import Receive, Scope, Send

from dhos_connector_api.http import call
from dhos_connector_api.http.wsgi import OneHop

PATH = "/echo"
_THREADS = 8


def _flask() -> flask.Flask:
    application = flask.Flask(__name__)

    @application.post(PATH)
    def echo() -> dict[str, Any]:
        posted = flask.request.get_json()
        raw = base64.b64decode(posted["body"])
        return {"uuid": str(len(raw)), "type": posted["type"], "body": base64.b64encode(raw[:300]).decode()}

    return application


class _Buffered:
    """ASGI: hands the whole body over in one message, as the Connector's body limit does."""

    def __init__(self, application: OneHop) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)

        async def whole() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        call.begin(scope, call.Call("-", checked="echo"))
        await self._application(scope, whole, send)


def main() -> None:
    """Serve on the port given, which several processes may share."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    config = uvicorn.Config(
        _Buffered(OneHop(_flask(), _THREADS, together={}, keep_together=lambda _arrivals: [])),
        loop="uvloop",
        http="httptools",
        log_level="error",
        access_log=False,
    )
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
