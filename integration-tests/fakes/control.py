"""What the fakes of destinations share: behaviour by attempt, the tests' orders, and failing on the wire.

`/control` is for the tests. PUT takes `{"behaviours": [...], "delay": seconds}`, and with `"key"` for one
message alone; GET shows the orders, every attempt (`key`, `behaviour`, `request_id`, in order), and how
often the tripwire was touched. A fake is a `Fake` with a handler that is a `FakeHandler`.
"""

import json
import os
import select
import socket
import struct
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_LINGER_NOT = struct.pack("ii", 1, 0)  # closing then resets the connection
_LOOK_SECONDS = 0.1
_CONTROL = "/control"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver the message `key`, how the fake behaved, and its X-Request-ID."""

    key: str
    behaviour: str
    request_id: str


class Behaviours:
    """How to behave at the n-th attempt for a message: as the n-th entry says, the last one repeated.

    Threads share it. Attempts are counted anew for everybody whenever orders are given.
    """

    def __init__(self, *default: str) -> None:
        self._lock = threading.Lock()
        self._default = list(default or ("accept",))
        self._own: dict[str, list[str]] = {}
        self._counted: dict[str, int] = {}
        self._attempts: list[Attempt] = []
        self.delay = 0.0  # seconds before every answer

    def give(self, behaviours: Iterable[str], *, key: str | None = None, delay: float | None = None) -> None:
        """From now on behave so: for the message `key`, or for every one without orders of its own."""
        with self._lock:
            if key is None:
                self._default = list(behaviours) or ["accept"]
            else:
                self._own[key] = list(behaviours)
            self._counted.clear()
            if delay is not None:
                self.delay = delay

    def next_for(self, key: str, request_id: str = "") -> str:
        """The behaviour due for an attempt with the message `key`, which is written down."""
        with self._lock:
            entries = self._own.get(key) or self._default
            number = self._counted.get(key, 0)
            self._counted[key] = number + 1
            behaviour = entries[min(number, len(entries) - 1)]
            self._attempts.append(Attempt(key, behaviour, request_id))
            return behaviour

    def attempts(self, key: str | None = None) -> list[Attempt]:
        """Every attempt in order, or those with one message."""
        with self._lock:
            return [each for each in self._attempts if key in (None, each.key)]

    def shown(self) -> dict[str, Any]:
        """The orders and the attempts, as JSON has them."""
        attempts = [
            {"key": each.key, "behaviour": each.behaviour, "request_id": each.request_id}
            for each in self.attempts()
        ]
        with self._lock:
            return {"behaviours": self._default, "delay": self.delay, "attempts": attempts}


class Tripwire:
    """A port that nobody may connect to: counts who does, and hangs up."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._listener = socket.create_server((host, 0))
        self.host, self.port = self._listener.getsockname()[:2]
        self.hits = 0
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where a redirect leads that must not be followed."""
        return f"http://{self.host}:{self.port}/tripwire"

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.hits += 1
            connection.close()


class Fake(ThreadingHTTPServer):
    """A destination that listens at `address`; also a context manager that serves in a thread."""

    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type["FakeHandler"]) -> None:
        super().__init__(address, handler)
        self.behaviours = Behaviours()
        self.tripwire = Tripwire()
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{host}:{port}"

    def shown(self) -> dict[str, Any]:
        """What GET /control answers; a fake adds what it knows besides."""
        return self.behaviours.shown() | {"tripwire": self.tripwire.hits}

    def handle_error(self, *_: object) -> None:
        """Keep quiet: clients hang up, which is what is tested."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()
        self.tripwire.close()


class FakeHandler(BaseHTTPRequestHandler):
    """HTTP in front of one fake: its `/control`, and what answering and failing need."""

    server: Fake
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Show the tests what was received."""
        if self.path == _CONTROL:
            self.answer_json(200, self.server.shown())
        else:
            self.answer(404)

    def do_PUT(self) -> None:
        """Take the tests' orders."""
        orders = json.loads(self.body())
        delay = orders.get("delay")
        self.server.behaviours.give(orders.get("behaviours", []), key=orders.get("key"), delay=delay)
        self.answer_json(200, {})

    def log_message(self, *_: object) -> None:
        """Keep quiet: headers carry a key, bodies a patient."""

    def body(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(
        self,
        status: int,
        content: bytes = b"",
        kind: str = "text/plain",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer, after the delay that was ordered; the tests themselves are answered at once."""
        if self.path != _CONTROL:
            self.server.stopped.wait(self.server.behaviours.delay)
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def answer_json(self, status: int, content: object) -> None:
        """Answer with JSON."""
        self.answer(status, json.dumps(content).encode(), "application/json")

    def fail(self, behaviour: str) -> bool:
        """Behave as every fake can: `hang`, `reset`, `garbage`, `empty`, `301`, `410`, `429`, `500` or
        another status. Returns False for a behaviour that is not among these.
        """
        wire = {"hang": self._hang, "reset": self._reset, "garbage": self._garbage}
        if behaviour in wire:
            self.close_connection = True
            wire[behaviour]()
        elif behaviour == "empty":
            self.answer(200)
        elif behaviour.isdigit():
            extra = {"301": {"Location": self.server.tripwire.url}, "429": {"Retry-After": "17"}}
            self.answer(int(behaviour), b"no", headers=extra.get(behaviour))
        else:
            return False
        return True

    def _hang(self) -> None:
        """Say nothing until the other side gives up."""
        while not self.server.stopped.is_set():
            if select.select([self.connection], [], [], _LOOK_SECONDS)[0]:
                return

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        # The server would shut the connection down in order first, which is no reset.
        self.server.close_request(self.connection)

    def _garbage(self) -> None:
        self.wfile.write(b"\x00\x01 this is not HTTP \xff\r\n\r\n")


def listen_address(name: str) -> tuple[str, int]:
    """Host and port from the environment's `host:port`."""
    host, _, port = os.environ[name].rpartition(":")
    return host, int(port)
