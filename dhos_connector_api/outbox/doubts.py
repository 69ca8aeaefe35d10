"""Which senders are in doubt, and until when; the clock is an argument.

What was handed to RabbitMQ before the connection was lost may have been the reason. Its sender waits 1, 2,
4 ... 30 seconds, and then goes on row by row, each alone, until it is past what is in doubt: so what makes
RabbitMQ close the channel shows itself, and holds up nobody else.
"""

from dataclasses import dataclass
from heapq import heappop, heappush

FIRST, LONGEST = 1.0, 30.0
#: The most senders that are in doubt. Of more, those that are due first are taken as harmless.
MOST = 10_000


@dataclass(slots=True)
class _Doubt:
    pause: float
    until: float
    rows: int


class Doubts:
    """The senders in doubt, each with its growing pause. Times are seconds of a monotonic clock."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._doubts: dict[str, _Doubt] = {}
        self._queue: list[tuple[float, str]] = []  # by time; what is out of date is passed over

    def __len__(self) -> int:
        return len(self._doubts)

    def __contains__(self, sender: str) -> bool:
        return sender in self._doubts

    def failed(self, sender: str, *, rows: int, now: float) -> None:
        """Hold a sender back: so many `rows` from its next one on may be at fault."""
        before = self._doubts.get(sender)
        if before is None:
            self._make_room()
            doubt = _Doubt(FIRST, now + FIRST, rows)
        else:
            pause = min(before.pause * 2, LONGEST)
            doubt = _Doubt(pause, now + pause, max(rows, before.rows))
        self._doubts[sender] = doubt
        heappush(self._queue, (doubt.until, sender))

    def answered(self, sender: str) -> None:
        """Note that RabbitMQ answered for its next row: the one after it may follow at once."""
        doubt = self._doubts.get(sender)
        if doubt is None:
            return
        doubt.rows -= 1
        if doubt.rows <= 0:
            del self._doubts[sender]
        elif doubt.until:
            doubt.pause, doubt.until = FIRST / 2, 0.0
            heappush(self._queue, (0.0, sender))

    def forget(self, sender: str) -> None:
        """Hold a sender back no longer: nothing of it waits that could go."""
        self._doubts.pop(sender, None)

    def due(self, now: float) -> str | None:
        """Return the sender to try with one row, the one that has waited longest; None: none is due."""
        while self._queue:
            until, sender = self._queue[0]
            doubt = self._doubts.get(sender)
            if doubt is not None and doubt.until == until:
                return sender if until <= now else None
            heappop(self._queue)
        return None

    def _make_room(self) -> None:
        while len(self._doubts) >= self._most:
            until, sender = heappop(self._queue)
            doubt = self._doubts.get(sender)
            if doubt is not None and doubt.until == until:
                del self._doubts[sender]
