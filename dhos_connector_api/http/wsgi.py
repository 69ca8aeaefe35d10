"""From ASGI to Flask in one hop: the body is in memory already, a thread of the pool runs the view."""

import asyncio
import sys
from asyncio import Future
from collections.abc import Iterable, Mapping
from contextvars import copy_context
from io import BytesIO
from queue import SimpleQueue
from threading import Thread
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIApplication

from starlette.types import Receive, Scope, Send

from dhos_connector_api.http import call
from dhos_connector_api.http.jobs import Answer, Job, WaitingJobs, hand_back
from dhos_connector_api.http.large_answers import AFTER_SENDING, SMALL
from dhos_connector_api.http.waiting import MOST_BODY_BYTES, KeepTogether, WaitingRequests

#: Headers that nearly every request has; the WSGI names of others are made anew each time.
_USUAL = (
    *("host", "authorization", "user-agent", "accept", "accept-encoding", "accept-language", "connection"),
    *("x-request-id", "x-api-key", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"),
)


class OneHop:
    """ASGI: runs a WSGI application in `threads` threads, and ends them at shutdown.

    Requests of the operations in `together` (operationId -> media types) go to a thread of their own
    that has those committed together which wait at the same moment; but for long bodies.
    """

    def __init__(
        self,
        application: WSGIApplication,
        threads: int,
        *,
        together: Mapping[str, frozenset[str]],
        keep_together: KeepTogether,
    ) -> None:
        self._application = application
        self._together = together
        self._waiting = WaitingRequests(self._answer, keep_together)
        self._unbegun, self._unbegun_together = WaitingJobs(), WaitingJobs()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"web-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            # A page is asked for without a body, and without a check that would have read one.
            body = (await receive())["body"] if call.of_scope(scope).checked else b""
            environ = _environ(scope, body)
            future: Future[Answer] = asyncio.get_running_loop().create_future()
            job = Job(environ, copy_context(), future)
            if self._may_wait(environ, len(body)):
                self._unbegun_together.add(job.ticket)
                self._waiting.submit(job)
            else:
                self._unbegun.add(job.ticket)
                self._jobs.put(job)
            try:
                await _send(send, await future)
            finally:
                for each in environ.get(AFTER_SENDING, ()):
                    each()

    def _may_wait(self, environ: dict[str, Any], size: int) -> bool:
        """Return whether the request is one of those that are kept together."""
        media_types = self._together.get(environ[call.ENVIRON_KEY].checked)
        if media_types is None or size > MOST_BODY_BYTES:
            return False
        return environ.get("CONTENT_TYPE", "").partition(";")[0] in media_types

    async def _live(self, receive: Receive, send: Send) -> None:
        """Answer the server's start and stop (ASGI lifespan)."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        await asyncio.to_thread(self._waiting.close)
        await send({"type": "lifespan.shutdown.complete"})

    def _work(self) -> None:
        """One thread. An executor's futures, chained to the loop's, cost three times as much."""
        while (job := self._jobs.get()) is not None:
            hand_back([(job, job.begin() or job.attempt(self._answer, job.environ))])
            del job  # while the next one is waited for, nothing holds its body and its answer

    def _answer(self, environ: dict[str, Any]) -> Answer:
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
        return Answer(int(status[:3]), raw, body)


async def _send(send: Send, answer: Answer) -> None:
    """Send an answer; a large one is sent when this returns, a small one may lie in the socket's buffer."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    large = len(answer.body) > SMALL
    await send({"type": "http.response.body", "body": answer.body, "more_body": large})
    if large:  # the server takes nothing more until nearly all of it is sent
        await send({"type": "http.response.body", "body": b""})


def _environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return the WSGI environment (PEP 3333) of an ASGI request whose body is `body`."""
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
