"""The MLLP door for tests: a desk without a database, a transport in memory, a real server, plain clients."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2.acknowledge import acknowledge, refuse_unreadable
from dhos_connector_api.hl7v2.framing import END, START, Frame, framed
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.hl7v2.rules import ACCEPTED, Code
from dhos_connector_api.mllp.active_listener import ActiveListener, Capacity
from dhos_connector_api.mllp.admission import BLOCK_START
from dhos_connector_api.mllp.answering import Answer, ReceivedFrame
from dhos_connector_api.mllp.committer import Done, Job
from dhos_connector_api.mllp.connection import Connection
from dhos_connector_api.mllp.server import Server
from dhos_connector_api.mllp.terms import Listener
from tests.builders.hl7 import NOW


def listener(**changes: Any) -> Listener:
    """A listener on a free port of this machine."""
    values: dict[str, Any] = {"name": "test", "host": "127.0.0.1", "port": 0}
    return Listener(**(values | changes))


@dataclass
class Memory:
    """A desk that keeps frames in a list; `fails` keeps nothing.

    It says AA, or AR where there is no MSH, 0B stands within or the frame is not whole.
    """

    stored: list[bytes] = field(default_factory=list)
    fails: bool = False

    def answer(self, group: Sequence[ReceivedFrame]) -> list[Answer | None]:
        """As `answering.FrameAnswerer.answer`."""
        return [None if self.fails else self._one(taken.frame) for taken in group]

    def _one(self, frame: Frame) -> Answer:
        content = frame.content
        self.stored.append(content)
        try:
            message = read(content)
        except UnreadableMessage:
            return Answer(framed(refuse_unreadable(Code.AR, control_id="OURS", now=NOW)), ("AR",))
        sound = frame.whole and START not in content
        verdict = ACCEPTED if sound else BLOCK_START
        return Answer(framed(acknowledge(message, verdict, control_id="OURS", now=NOW)), (verdict.code,))


class MemoryTransport(asyncio.Transport):
    """A connection's transport in memory; it says what was written, and how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = self.aborted = self.ended = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


class Line:
    """A connection on a wire in memory. Frames wait in `waiting` until `answer` has them answered.

    `now` is the time its deadlines go by.
    """

    def __init__(
        self, terms: Listener | None = None, *, memory: Memory | None = None, most_held: int = 10**9
    ) -> None:
        self.memory = memory or Memory()
        self.now = 0.0
        self.wire = MemoryTransport()
        self.waiting: list[Job] = []
        self.capacity = Capacity(most_held, most_connections=1000)
        active = ActiveListener(terms or listener(), self._submit, self._time, self.capacity)
        active.enter("127.0.0.1")
        self.active = active
        self.connection = Connection(active, "127.0.0.1")
        self.connection.connection_made(self.wire)

    def _time(self) -> float:
        return self.now

    def _submit(self, taken: ReceivedFrame, done: Done) -> Job:
        self.waiting.append(job := Job(taken, done))
        return job

    def send(self, data: bytes) -> None:
        """Bytes of the peer, as far as they are read; a paused reader gets none."""
        self.connection.data_received(data)

    def answer(self) -> None:
        """Answer what waits, and what follows from that."""
        while self.waiting:
            job = self.waiting.pop(0)
            if (each := job.take()) is not None:
                each.done(self.memory.answer([each.taken])[0])

    def later(self, seconds: float) -> None:
        """Move the clock on, as the server's sweep sees it."""
        self.now += seconds
        if self.connection.deadline <= self.now:
            self.connection.overdue()

    def gone(self, error: Exception | None = None) -> None:
        """The transport tells that the connection has ended; `error`: it broke."""
        self.connection.connection_lost(error)

    @property
    def acks(self) -> list[bytes]:
        """What was answered, without frames."""
        return unframed(bytes(self.wire.written))


def unframed(stream: bytes) -> list[bytes]:
    """The contents of a stream of whole frames."""
    if not stream:
        return []
    assert stream.startswith(START)
    assert stream.endswith(END)
    contents = stream[1:-2].split(END + START)
    assert not any(START in each or b"\x1c" in each for each in contents), "a framing byte in an answer"
    return contents


def msa(ack: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2 of an acknowledgement."""
    segment = read(ack).first("MSA")
    assert segment is not None
    return segment.value(1), segment.text(2)


@dataclass
class Running:
    """A server at work in a thread of its own."""

    server: Server
    loop: asyncio.AbstractEventLoop
    port: int

    def call(self, function: Callable[[], Any]) -> Any:
        """What the function gives, called in the server's thread."""

        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def drain(self, grace: float = 15) -> None:
        """As at SIGTERM."""
        asyncio.run_coroutine_threadsafe(self.server.drain(grace), self.loop).result(60)


@contextmanager
def serving(
    answer: Callable[[Sequence[ReceivedFrame]], Sequence[Answer | None]], **changes: Any
) -> Iterator[Running]:
    """A real server with one listener; `changes` are the listener's, and `most_held`."""
    most_held = changes.pop("most_held", 10**9)
    server = Server([listener(**changes)], answer, most_held=most_held)
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = Running(server, loop, server.addresses[0][1])
    running.call(server.start)
    try:
        yield running
        running.drain()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Client:
    """A plain blocking client; reading gives up after some seconds."""

    def __init__(self, port: int, *, wrap: Callable[[socket.socket], socket.socket] | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        try:
            self.socket = wrap(plain) if wrap else plain
        except OSError:
            plain.close()
            raise
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, message: bytes) -> bytes:
        """The answer to one message, without its frame."""
        self.send(framed(message))
        return self.receive()

    def receive(self) -> bytes:
        """The next frame's content. Raises ConnectionError where the stream ends before it."""
        while END not in self._buffer:
            if not (data := self.socket.recv(65_536)):
                raise ConnectionError("the stream ended")
            self._buffer += data
        frame, _, self._buffer = self._buffer.partition(END)
        assert frame.startswith(START)
        return frame[1:]

    def rest(self) -> bytes:
        """Everything up to the end of the stream; a reset is an end, too."""
        try:
            while data := self.socket.recv(65_536):
                self._buffer += data
        except ConnectionError:
            pass
        return self._buffer

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
