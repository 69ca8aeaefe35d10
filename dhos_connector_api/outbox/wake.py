"""Wakes the relay after a commit, where it runs on the same machine; elsewhere it polls.

The relay that holds the lease binds a datagram socket whose name follows from the database; a process
that has committed envelopes sends it one byte and does not care what becomes of it. The names are
Linux's abstract ones: no file is left behind by a process that is killed, none has to be writable.
Each network namespace has its own. On other systems nothing is sent and nothing bound.

PostgreSQL's NOTIFY would reach other machines too, but holds one lock of the whole server at commit.
"""

import socket
import sys
from contextlib import suppress
from hashlib import sha256

from dhos_connector_api import clock

#: Seconds between two bytes of one process: less than the relay waits between two batches anyway.
INTERVAL = 0.004
_AVAILABLE = sys.platform == "linux"
_DRAINED = 64


def socket_name(database: str) -> str:
    """Return the address of the relay of that database (`host:port/name`) on this machine."""
    return f"\0dhos-connector-relay-{sha256(database.encode()).hexdigest()[:32]}"


class Waker:
    """The sending end: `Waker(database).wake()` after a commit. Threads may share it."""

    def __init__(self, database: str, interval: float = INTERVAL) -> None:
        self._interval = interval
        self._name = socket_name(database)
        self._socket = _datagrams() if _AVAILABLE else None
        self._not_before = 0.0

    def wake(self) -> None:
        """Send the relay a byte, unless one was sent just now; it may be away, or awake already."""
        now = clock.monotonic()
        if self._socket is None or now < self._not_before:
            return
        self._not_before = now + self._interval
        with suppress(OSError):
            self._socket.sendto(b"1", self._name)

    def close(self) -> None:
        """Close the socket; nothing is sent from now on."""
        if self._socket is not None:
            opened, self._socket = self._socket, None
            opened.close()


class Bell:
    """The receiving end, of which there is one at a time: the relay that holds the lease has it."""

    def __init__(self, database: str) -> None:
        self._name = socket_name(database)
        self._socket: socket.socket | None = None

    def bind(self) -> socket.socket | None:
        """Return the socket that becomes readable when it is rung; None: another still has the name."""
        if self._socket is None and _AVAILABLE:
            opened = _datagrams()
            try:
                opened.bind(self._name)
            except OSError:
                opened.close()
            else:
                self._socket = opened
        return self._socket

    def drain(self) -> bool:
        """Forget that it was rung; return whether it was.

        What is committed before this must be looked for after it.
        """
        rung = False
        if self._socket is not None:
            with suppress(OSError):
                for _ in range(_DRAINED):
                    rung = bool(self._socket.recv(1)) or rung
        return rung

    def close(self) -> None:
        """Give the name up to the next relay."""
        if self._socket is not None:
            opened, self._socket = self._socket, None
            opened.close()


def _datagrams() -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    opened.setblocking(False)
    return opened


class _Process:
    """The waker of this process, once it is known which database it commits to."""

    waker: Waker | None = None


def use(database: str) -> None:
    """From now on `wake` wakes the relay of that database."""
    if _Process.waker is not None:
        _Process.waker.close()
    _Process.waker = Waker(database)


def wake() -> None:
    """Wake the relay, envelopes having been committed; nothing happens before `use` was called."""
    if _Process.waker is not None:
        _Process.waker.wake()
