"""What stands in for RabbitMQ where none is set: envelopes go to the consumers in this process.

Each is confirmed when they have applied it, or keep it themselves to try it again. Where there is no consumer
every envelope comes back as unroutable, and its row stays in the outbox, visible, until there is a broker.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence

from dhos_connector_api.actions.envelope import Envelope, Outcome

#: Envelopes that the consumers are given at once: a transaction of theirs.
AT_ONCE = 50

#: Applies envelopes durably, or keeps them; what it raises leaves all of them to be given again.
Hand = Callable[[Sequence[Envelope]], None]


class InProcess:
    """Hands envelopes to consumers; to the relay it looks like the publisher."""

    def __init__(self, hand: Hand | None = None, keep_waiting: Callable[[], bool] = lambda: True) -> None:
        self._hand = hand
        self._keep_waiting = keep_waiting

    def ready(self) -> bool:
        """Return True: there is nothing to connect to."""
        return True

    def publish(self, batch: Sequence[Envelope]) -> list[Outcome]:
        """Return CONFIRMED for each envelope that was applied or kept; RETURNED where there is no consumer.

        Those for which there was no time any more are UNKNOWN: they are given again.
        """
        if self._hand is None:
            return [Outcome.RETURNED] * len(batch)
        outcomes: list[Outcome] = []
        for start in range(0, len(batch), AT_ONCE):
            if start and not self._keep_waiting():
                break
            given = batch[start : start + AT_ONCE]
            self._hand(given)
            outcomes += [Outcome.CONFIRMED] * len(given)
        return outcomes + [Outcome.UNKNOWN] * (len(batch) - len(outcomes))

    def idle(self, seconds: float, bell: socket.socket | None = None) -> None:
        """Wait that long, or until `bell` is readable."""
        if bell is None:
            time.sleep(seconds)
        else:
            select.select([bell], [], [], seconds)

    def drop(self) -> None:
        """Do nothing: nothing is under way between two batches."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""
