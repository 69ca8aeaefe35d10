"""Many sockets at once that waste what a service has."""

import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psutil

_SENDERS = 20
#: Seconds until a sender sees that nobody takes any more of what it sends.
_PATIENCE = 5.0


@contextmanager
def attacking(port: int, connections: int, pieces: Sequence[bytes]) -> Iterator[None]:
    """So many connections of which each sends the pieces, reads nothing, and hangs.

    The block begins when each has sent all, or as much as was taken.
    """
    sockets: list[socket.socket] = []

    def attack(_: int) -> None:
        with suppress(OSError):
            made = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
            sockets.append(made)
            for piece in pieces:
                made.sendall(piece)

    try:
        with ThreadPoolExecutor(_SENDERS) as senders:
            list(senders.map(attack, range(connections)))
        yield
    finally:
        for each in sockets:
            each.close()


class Growth:
    """How much more memory a process takes than when this was made."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before = self._process.memory_info().rss

    @property
    def megabytes(self) -> float:
        """Return the growth until now."""
        return (self._process.memory_info().rss - self._before) / 1e6
