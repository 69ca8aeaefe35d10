"""Which streams are held back after a failure, and until when; the clock is an argument.

A stream, or a whole sender, whose row could not be published waits 1, 2, 4 ... 30 seconds. Then it is
tried with a single row, and goes on one by one until it is past the rows that were in doubt: what
makes RabbitMQ close the channel shows itself alone, and an unroutable backlog is not sent again and
again.
"""

from dataclasses import dataclass

from dhos_connector_api.outbox.store import Stream, whole_sender

FIRST, LONGEST = 1.0, 30.0


@dataclass(slots=True)
class _Held:
    pause: float
    until: float
    doubtful: int


class Backoff:
    """The streams that are held back, each with its growing pause. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._held: dict[Stream, _Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    def streams(self) -> frozenset[Stream]:
        """Return the streams, and whole senders, that are held back."""
        return frozenset(self._held)

    def failed(self, stream: Stream, *, now: float, doubtful: int) -> None:
        """Hold back a stream whose next row could not be published.

        So many rows from there on, `doubtful`, may be at fault.
        """
        before = self._held.get(stream)
        pause = FIRST if before is None else min(before.pause * 2, LONGEST)
        if before is not None:
            doubtful = max(doubtful, before.doubtful)
        self._held[stream] = _Held(pause, now + pause, doubtful)

    def advanced(self, stream: Stream) -> None:
        """Note that one of its rows was published, or is dead: the next may follow at once."""
        hold = self._held.get(stream)
        if hold is None:
            return
        hold.doubtful -= 1
        hold.pause, hold.until = FIRST / 2, 0.0
        if hold.doubtful <= 0:
            del self._held[stream]

    def forget(self, stream: Stream) -> None:
        """Hold a stream back no longer: nothing of it waits any more."""
        self._held.pop(stream, None)

    def due(self, now: float) -> Stream | None:
        """Return the stream to try with one row, the one that has waited longest; None: nothing is due.

        A stream whose whole sender is held is not tried by itself.
        """
        candidates = (
            (hold.until, stream)
            for stream, hold in self._held.items()
            if not stream[1] or whole_sender(stream) not in self._held
        )
        until, stream = min(candidates, default=(now, None))
        return stream if stream is not None and until <= now else None
