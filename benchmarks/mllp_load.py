"""A cheap MLLP load generator: prebuilt frames, one at a time over each connection, some 0.02 ms CPU each."""

import asyncio
from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import cast

import uvloop

from benchmarks.load import Answers


class _Client(asyncio.Protocol):
    """One connection: sends a frame, waits for its acknowledgement, sends the next."""

    def __init__(
        self, frames: Iterator[tuple[int, bytes]], until: float, answers: Answers, gone: asyncio.Future[None]
    ) -> None:
        self._frames, self._until, self._answers, self._gone = frames, until, answers, gone
        self._buffer = b""
        self._number, self._sent = -1, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        pair = next(self._frames, None) if monotonic() < self._until else None
        if pair is None:
            self._number = -1
            self._transport.close()
            return
        self._number, self._sent = pair[0], monotonic()
        self._transport.write(pair[1])

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._buffer.endswith(b"\x1c\r"):
            return
        answer, self._buffer = self._buffer, b""
        if b"\rMSA|AA|" in answer:
            self._answers.times.append((self._number, self._sent, monotonic()))
        else:
            self._failed(answer[:300])
        self._send()

    def _failed(self, answer: bytes) -> None:
        self._answers.failures += 1
        self._answers.first_failure = self._answers.first_failure or answer

    def connection_lost(self, _error: Exception | None) -> None:
        if self._number >= 0:
            self._failed(b"the connection was closed before the acknowledgement")
        if not self._gone.done():
            self._gone.set_result(None)


async def _run(port: int, connections: int, frames: Iterator[tuple[int, bytes]], seconds: float) -> Answers:
    loop = asyncio.get_running_loop()
    answers = Answers()
    started = monotonic()
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    for gone in ends:
        make = partial(_Client, frames, started + seconds, answers, gone)
        await loop.create_connection(make, "127.0.0.1", port)
    await asyncio.gather(*ends)
    answers.seconds = monotonic() - started
    return answers


def send(port: int, frames: Iterator[bytes], *, connections: int, seconds: float = float("inf")) -> Answers:
    """Send `frames` until they or the `seconds` have run out. Ends the run where one is not answered AA."""
    answers = uvloop.run(_run(port, connections, enumerate(frames), seconds))
    if answers.failures:
        raise SystemExit(f"{answers.failures} messages failed, the first with:\n{answers.first_failure!r}")
    return answers
