"""What is held back after a failure, and until when; the clock is an argument.

A stream, or a whole sender, whose row could not be published waits 1, 2, 4 ... 30 seconds. Then it is
tried with a single row, and goes on one by one until it is past the rows that were in doubt: what
makes RabbitMQ close the channel shows itself alone, and an unroutable backlog is not sent again and
again.
"""

from dataclasses import dataclass

from dhos_connector_api.outbox.store import Stream, whole_sender

FIRST, LONGEST = 1.0, 30.0


@dataclass(slots=True)
class _Hold:
    pause: float
    until: float
    doubtful: int


class Holds:
    """The streams that are not treated like any other. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._holds: dict[Stream, _Hold] = {}

    def __len__(self) -> int:
        return len(self._holds)

    def all(self) -> frozenset[Stream]:
        """Everything that is held."""
        return frozenset(self._holds)

    def failed(self, stream: Stream, *, now: float, doubtful: int) -> None:
        """Its next row could not be published; `doubtful` rows from there on may be at fault."""
        before = self._holds.get(stream)
        pause = FIRST if before is None else min(before.pause * 2, LONGEST)
        if before is not None:
            doubtful = max(doubtful, before.doubtful)
        self._holds[stream] = _Hold(pause, now + pause, doubtful)

    def passed(self, stream: Stream) -> None:
        """One of its rows got through, or will never: the next may follow at once."""
        hold = self._holds.get(stream)
        if hold is None:
            return
        hold.doubtful -= 1
        hold.pause, hold.until = FIRST / 2, 0.0
        if hold.doubtful <= 0:
            del self._holds[stream]

    def forget(self, stream: Stream) -> None:
        """Nothing of it waits any more."""
        self._holds.pop(stream, None)

    def due(self, now: float) -> Stream | None:
        """What to try with one row: what has waited longest; None: nothing is due.

        A stream whose whole sender is held is not tried by itself.
        """
        candidates = (
            (hold.until, stream)
            for stream, hold in self._holds.items()
            if not stream[1] or whole_sender(stream) not in self._holds
        )
        until, stream = min(candidates, default=(now, None))
        return stream if stream is not None and until <= now else None
