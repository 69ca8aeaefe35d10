"""Room in memory for what is read to be answered with: so many bytes at a time in a process.

A page of a list has its bound, but a single message is as large as it is, and every thread may be asked for
one at the same moment. What is small needs no room.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dhos_connector_api import clock
from dhos_connector_api.errors import NoRoom

#: Bytes of stored rows that may be made into answers at once; each takes some four of memory meanwhile.
MOST_BYTES = 24_000_000
#: Bytes that are not counted.
SMALL = 100_000
#: Seconds an answer waits for room.
PATIENCE = 2.0


class LargeAnswers:
    """The room of one process. `with answers.room(size): ...` reads and makes an answer of that size."""

    def __init__(self, most_bytes: int = MOST_BYTES, patience: float = PATIENCE) -> None:
        self._most, self._patience = most_bytes, patience
        self._held = 0
        self._freed = threading.Condition()
        self._turn = threading.Lock()  # who waits for much is not passed by all who want little

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Hold room for so many bytes; more than there is at all gets all of it. Raises NoRoom."""
        size = min(size, self._most)
        if size <= SMALL:
            yield
            return
        self._take(size)
        try:
            yield
        finally:
            with self._freed:
                self._held -= size
                self._freed.notify()

    def _take(self, size: int) -> None:
        until = clock.monotonic() + self._patience
        if not self._turn.acquire(timeout=self._patience):
            raise NoRoom("too many large answers are being made; ask again")
        try:
            with self._freed:
                free = lambda: self._held + size <= self._most  # noqa: E731
                if not self._freed.wait_for(free, max(0.0, until - clock.monotonic())):
                    raise NoRoom("too many large answers are being made; ask again")
                self._held += size
        finally:
            self._turn.release()
