"""Which routing keys are held back, and until when; the clock is an argument.

Which queues get a message follows from its routing key alone. So a message that came back as unroutable,
or that a queue refused, says it of all with that key, whoever sent them: the key is held, however many
senders wait, and one row tells whether it is over.

Unroutable: tried after 1, 2, 4 ... 30 seconds. It costs nobody anything.

Refused: every try gives the other queues of that key one more copy. So it is tried once after a second,
then once a minute: all who wait under that key wait for it once the queue has room again. In between, once a
second, a row that was never tried may go: it is no copy. Where it is known that the queue is full nothing
goes, and what waits is tried as soon as it has room.
"""

from collections.abc import Iterable
from dataclasses import dataclass

FIRST, LONGEST = 1.0, 30.0
AGAIN_REFUSED = 60.0


@dataclass(slots=True)
class _Held:
    pause: float
    until: float
    #: Whether a queue refused it, and when a row that was never tried may go.
    refused: bool = False
    look_at: float = float("inf")

    @property
    def due_at(self) -> float:
        return min(self.until, self.look_at)


class Backoff:
    """The routing keys that are held, each with its growing pause. Times are seconds of a monotonic clock.

    No sender can add one: routing keys are our own.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    @property
    def unroutable(self) -> list[str]:
        """The keys to which no queue is bound."""
        return [key for key, hold in self._held.items() if not hold.refused]

    @property
    def refused(self) -> list[str]:
        """The keys of which a queue takes no more."""
        return [key for key, hold in self._held.items() if hold.refused]

    def returned(self, key: str, *, now: float) -> None:
        """Note that no queue is bound to that key."""
        before = self._held.get(key)
        pause = FIRST if before is None or before.refused else min(before.pause * 2, LONGEST)
        self._held[key] = _Held(pause, now + pause)

    def refuse(self, key: str, *, now: float) -> None:
        """Note that a queue did not take a message with that key."""
        before = self._held.get(key)
        if before is None or not before.refused:
            self._held[key] = _Held(FIRST, now + FIRST, refused=True, look_at=now + FIRST)
            return
        before.look_at = now + FIRST
        if before.until <= now:
            before.until = now + AGAIN_REFUSED

    def confirmed(self, key: str) -> bool:
        """Note that a message with that key was taken; return whether the key was held as refused."""
        hold = self._held.pop(key, None)
        return hold is not None and hold.refused

    def keep(self, keys: Iterable[str]) -> None:
        """Forget what is held of other keys: nothing waits under them."""
        self._held = {key: self._held[key] for key in keys if key in self._held}

    def due(self, now: float) -> str | None:
        """Return the key to try with one row; None: none is due."""
        key = min(self._held, key=lambda each: self._held[each].due_at, default=None)
        return key if key is not None and self._held[key].due_at <= now else None

    def only_untried(self, key: str, *, now: float) -> bool:
        """Return whether nothing may go that was tried before: the pause is not over."""
        return self._held[key].until > now

    def wait_for_room(self, key: str, *, now: float) -> None:
        """Note that a queue of that key is known to be full: its pause ends when that is over."""
        hold = self._held.get(key)
        if hold is not None:
            hold.until = hold.look_at = now + FIRST

    def put_off(self, key: str, *, now: float) -> None:
        """Wait a little: what was due told nothing, or there was nothing to try."""
        hold = self._held.get(key)
        if hold is None:
            return
        if hold.until <= now:
            hold.until = now + FIRST
        if hold.refused:
            hold.look_at = now + FIRST
