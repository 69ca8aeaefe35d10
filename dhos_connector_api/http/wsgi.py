"""From ASGI to Flask in one hop: the body is in memory already, a thread of the pool runs the view."""

import asyncio
import sys
from asyncio import Future
from collections.abc import Iterable
from contextvars import Context, copy_context
from io import BytesIO
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, cast
from wsgiref.types import StartResponse, WSGIApplication

from starlette.types import Receive, Scope, Send

from dhos_connector_api.http import call

#: Headers that nearly every request has; the WSGI names of others are made anew each time.
_USUAL = (
    *("host", "authorization", "user-agent", "accept", "accept-encoding", "accept-language", "connection"),
    *("x-request-id", "x-api-key", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"),
)


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _Job(NamedTuple):
    environ: dict[str, Any]
    context: Context
    future: "Future[_Answer]"


class OneHop:
    """ASGI: runs a WSGI application in `threads` threads, and ends them at shutdown."""

    def __init__(self, application: WSGIApplication, threads: int) -> None:
        self._application = application
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"web-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            message = await receive()
            environ = _environ(scope, message["body"])
            future: Future[_Answer] = asyncio.get_running_loop().create_future()
            self._jobs.put(_Job(environ, copy_context(), future))
            answer = await future
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body})

    async def _live(self, receive: Receive, send: Send) -> None:
        """The server's start and stop (ASGI lifespan)."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        await send({"type": "lifespan.shutdown.complete"})

    def _work(self) -> None:
        """One thread. An executor's futures, chained to the loop's, cost three times as much."""
        while (job := self._jobs.get()) is not None:
            loop = job.future.get_loop()
            try:
                answer = job.context.run(self._answer, job.environ)
                loop.call_soon_threadsafe(_give, job.future, answer)
            except Exception as error:  # noqa: BLE001  it rises again where the future is awaited
                loop.call_soon_threadsafe(_fail, job.future, error)

    def _answer(self, environ: dict[str, Any]) -> _Answer:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None, /) -> Any:
            started[:] = status, headers

        chunks = self._application(environ, cast(StartResponse, start_response))
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        status, headers = started
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _Answer(int(status[:3]), raw, body)


def _give(future: "Future[_Answer]", answer: _Answer) -> None:
    if not future.done():  # the client may have gone
        future.set_result(answer)


def _fail(future: "Future[_Answer]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of an ASGI request whose body is `body`."""
    server = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        call.ENVIRON_KEY: call.of_scope(scope),
    }
    if scope.get("client"):
        environ["REMOTE_ADDR"] = scope["client"][0]
    _add_headers(environ, scope["headers"])
    return environ


def _add_headers(environ: dict[str, Any], headers: Iterable[tuple[bytes, bytes]]) -> None:
    for name, value in headers:
        text = value.decode("latin-1")
        if name == b"content-type":
            environ["CONTENT_TYPE"] = text
        elif b"_" not in name and name != b"content-length":  # a_b would pass for a-b
            key = _NAMES.get(name) or _environ_name(name)
            environ[key] = f"{environ[key]},{text}" if key in environ else text


def _environ_name(header: bytes) -> str:
    return "HTTP_" + header.decode("latin-1").upper().replace("-", "_")


_NAMES = {name.encode(): _environ_name(name.encode()) for name in _USUAL}
