"""A cheap HTTP/1.1 load generator: prebuilt requests over keep-alive connections, some 0.05 ms CPU each."""

import asyncio
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Answers:
    """What came back. Times are of the monotonic clock, in seconds, which all processes share."""

    seconds: float = 0.0
    times: list[tuple[int, float, float]] = field(default_factory=list)  # number, sent, answered
    failures: int = 0
    first_failure: bytes = b""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.times) / self.seconds

    @property
    def milliseconds(self) -> list[float]:
        """How long each good answer took."""
        return [(answered - sent) * 1000 for _, sent, answered in self.times]


@dataclass(frozen=True, slots=True)
class _Plan:
    requests: Iterator[tuple[int, bytes]]
    until: float
    interval: float  # seconds between two requests of one connection; 0: as fast as answers come
    answers: Answers
    idle: asyncio.Event


class _Client(asyncio.Protocol):
    """One connection: sends a request, waits for its answer, sends the next."""

    def __init__(self, plan: _Plan, open_connections: set["_Client"]) -> None:
        self._plan = plan
        self._open = open_connections
        self._buffer = b""
        self._whole = 0
        self._number = -1
        self._sent = 0.0
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._open.add(self)
        self._due = monotonic()
        self._send()

    def _send(self) -> None:
        pair = next(self._plan.requests, None)
        if pair is None or monotonic() >= self._plan.until:
            self._transport.close()
            return
        self._number = pair[0]
        self._sent = monotonic()
        self._waits = True
        self._transport.write(pair[1])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._whole:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            length = _LENGTH.search(self._buffer, 0, head + 2)
            self._whole = head + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) >= self._whole:
            self._answered(self._buffer)
            self._buffer, self._whole = b"", 0

    def _answered(self, answer: bytes) -> None:
        answers = self._plan.answers
        now = monotonic()
        self._waits = False
        if answer.startswith(b"HTTP/1.1 2"):
            answers.times.append((self._number, self._sent, now))
        else:
            self._failed(answer[:300])
        self._due += self._plan.interval
        if self._due > now:
            asyncio.get_running_loop().call_at(self._due, self._send)
        else:
            self._send()

    def _failed(self, answer: bytes) -> None:
        answers = self._plan.answers
        answers.failures += 1
        answers.first_failure = answers.first_failure or answer

    def connection_lost(self, _error: Exception | None) -> None:
        if self._waits:
            self._failed(b"the connection was closed before the answer")
        self._open.discard(self)
        if not self._open:
            self._plan.idle.set()


async def _run(
    port: int, connections: int, requests: Iterator[tuple[int, bytes]], seconds: float, rate: float
) -> Answers:
    loop = asyncio.get_running_loop()
    answers = Answers()
    interval = connections / rate if rate else 0.0
    started = monotonic()
    plan = _Plan(requests, started + seconds, interval, answers, asyncio.Event())
    open_connections: set[_Client] = set()
    for _ in range(connections):
        await loop.create_connection(lambda: _Client(plan, open_connections), "127.0.0.1", port)
        if interval:
            await asyncio.sleep(interval / connections)
    await plan.idle.wait()
    answers.seconds = monotonic() - started
    return answers


def post(host: str, path: str, header: str, body: bytes) -> bytes:
    """An HTTP/1.1 request that posts JSON; `header` is one line, or several with CRLF between them."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int,
    seconds: float = float("inf"),
    rate: float = 0.0,
    may_fail: bool = False,
) -> Answers:
    """Send `requests` until they or the `seconds` have run out; `rate` a second in all, 0: no limit.

    Ends the run when an answer was not 2xx, unless it `may_fail`.
    """
    answers = uvloop.run(_run(port, connections, zip(itertools.count(), requests), seconds, rate))
    if answers.failures and not may_fail:
        raise SystemExit(f"{answers.failures} requests failed, the first with:\n{answers.first_failure!r}")
    return answers
