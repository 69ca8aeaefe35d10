"""MLLP receivers for tests: one by hand that can be told to misbehave, and python-hl7's server."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

from dhos_connector_api.hl7v2.framing import Deframer, Frame, framed
from dhos_connector_api.hl7v2.read import read
from tests.rigs.wire import Wire


def ack_of(control_id: str, code: str = "AA") -> bytes:
    """An acknowledgement of the message with that control id."""
    return f"MSH|^~\\&|EPR|RBH|DHOS|DHOS|20260101||ACK|A1|P|2.6\rMSA|{code}|{control_id}\r".encode()


@dataclass
class Misbehaving:
    """A receiver that does for each message what stands next in `orders`, else acknowledges it.

    An order is a code (`AE`), or one of `answers`' names. `taken` are the messages it got, in order,
    `connections` how many connections it saw; one that hangs does so until `go_on`.
    """

    orders: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)  # control ids
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)

    def serve(self, connection: socket.socket) -> None:
        """Answer one connection to its end."""
        self.connections += 1
        deframer = Deframer(10_000_000)
        with connection, suppress(OSError, ssl.SSLError):
            while data := connection.recv(65_536):
                deframer.feed(data)
                while isinstance(event := deframer.take(), Frame):
                    self.bodies.append(event.content)
                    if not self._answer(connection, read(event.content).control_id):
                        return

    def _answer(self, connection: socket.socket, control_id: str) -> bool:
        """False: hang up."""
        self.taken.append(control_id)
        order = self.orders.pop(0) if self.orders else "AA"
        if order == "hang":
            self.go_on.wait(30)
            return False
        if order == "close":
            return False
        parts = answers(control_id).get(order, [framed(ack_of(control_id, order))])
        for part in parts:
            connection.sendall(part)
        return order not in {"half", "then closes"}


def answers(control_id: str) -> dict[str, list[bytes]]:
    """What is sent for an order, in pieces."""
    good = framed(ack_of(control_id))
    return {
        "late": [framed(ack_of("EARLIER")), good],
        "two": [good + good],
        "byte by byte": [good[at : at + 1] for at in range(len(good))],
        "0B within": [framed(ack_of(control_id)[:-1] + b"\x0b")],
        "other": [framed(ack_of("ANOTHER"))],
        "junk": [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x0bhalf a frame", good],
        "half": [good[: len(good) // 2]],
        "empty MSA-2": [framed(ack_of(""))],
        "nothing": [],
        "refused": [framed(ack_of("", "AR"))],
        "refused before": [framed(ack_of("", "AR")), good],
        "second": [good, framed(ack_of("ORU1", "AE"))],
        "no ack": [framed(b"thank you")],
        "line ends": [b"\r\n", good, b"\r\n"],
        "oversize": [b"\x0b", *[b"x" * 65_536] * 20, good],
        "then closes": [good],
    }


@contextmanager
def receiving(receiver: Misbehaving, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The receiver at work, on the port that is given."""
    with Wire(receiver.serve, tls=tls) as wire:
        try:
            yield wire.port
        finally:
            receiver.go_on.set()


@dataclass
class PythonHl7:
    """python-hl7's own asyncio server, answering with its `create_ack`; it counts what it sees."""

    connections: int = 0
    taken: list[str] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """At work on `port`."""
        server = await start_hl7_server(self._connected, "127.0.0.1", 0, encoding="utf-8")
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _connected(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError):
            while True:
                message = await reader.readmessage()
                self.taken.append(str(message.segment("MSH")(10)))
                writer.writemessage(message.create_ack())
                await writer.drain()
        writer.close()


@contextmanager
def python_hl7() -> Iterator[PythonHl7]:
    """python-hl7's server in a thread of its own."""
    server, ready, done = PythonHl7(), threading.Event(), threading.Event()

    async def serve() -> None:
        async with server.serving():
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield server
    finally:
        done.set()
        thread.join()
