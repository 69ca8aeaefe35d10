"""Room in memory for answers: so many bytes of stored rows may be read, made into answers and sent at once.

A page of a list has its bound, but a single message is as large as it is, and every thread may be asked for
one at the same moment. What is small needs no room.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import flask

from dhos_connector_api import clock
from dhos_connector_api.errors import Overloaded

#: Bytes of stored rows that may be on their way at once; each takes about three of memory meanwhile.
MOST_BYTES = 32_000_000
#: Bytes of a row of which every column is short.
ROW_BYTES = 400
#: Bytes of an answer that needs no room.
SMALL = 500_000
#: Seconds an answer waits for room, and for which one that is made holds its room until it is sent.
PATIENCE, SENDING = 2.0, 10.0
#: Answers that wait at once: each keeps a thread from other requests.
MOST_WAITING = 2
#: In the WSGI environment: what is called once the answer is sent (`http/wsgi.py`).
AFTER_SENDING = "connector.after_sending"

_NEVER = float("inf")


class LargeAnswers:
    """The room of one process.

    with answers.room(size):
        return flask.Response(...)  # read and made in here, and sent after it
    """

    def __init__(self, most_bytes: int = MOST_BYTES, patience: float = PATIENCE) -> None:
        self._most, self._patience = most_bytes, patience
        self._held: dict[object, tuple[int, float]] = {}  # bytes, and until when they count
        self._freed = threading.Condition()
        self._waiting = 0

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Hold room for so many bytes; for more than there is, all of it. Raises Overloaded.

        Inside a Flask view it is held until the answer is sent, but for SENDING seconds at most: who does
        not read must not keep others waiting.
        """
        size = min(size, self._most)
        if size <= SMALL:
            yield
            return
        held = object()
        self._take(held, size)
        try:
            yield
        except BaseException:
            self._release(held)
            raise
        with self._freed:
            self._held[held] = (size, clock.monotonic() + SENDING)
        after: list[Callable[[], None]] = flask.request.environ.setdefault(AFTER_SENDING, [])
        after.append(lambda: self._release(held))

    def _take(self, held: object, size: int) -> None:
        with self._freed:
            # Who comes later does not pass by: who waits for much would wait behind all who want little.
            if self._waiting or not self._fits(size):
                self._wait(size)
            self._held[held] = (size, _NEVER)

    def _wait(self, size: int) -> None:
        """Wait for room. The lock is held."""
        if self._waiting < MOST_WAITING:
            self._waiting += 1
            try:
                if self._freed.wait_for(lambda: self._fits(size), self._patience):
                    return
            finally:
                self._waiting -= 1
        raise Overloaded("too many large answers are being made; ask again")

    def _fits(self, size: int) -> bool:
        now = clock.monotonic()
        return size + sum(each for each, until in self._held.values() if until > now) <= self._most

    def _release(self, held: object) -> None:
        with self._freed:
            self._held.pop(held, None)
            self._freed.notify_all()
