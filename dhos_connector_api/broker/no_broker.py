"""The publisher that stands in for RabbitMQ where none is set.

Nobody consumes here: every envelope comes back as unroutable, and its row stays in the outbox, visible,
until there is a broker.
"""

import select
import socket
import time
from collections.abc import Sequence

from dhos_connector_api.actions.envelope import Envelope, Outcome


class NoBroker:
    """Takes no envelope; to the relay it looks like the publisher."""

    def ready(self) -> bool:
        """Return True: there is nothing to connect to."""
        return True

    def publish(self, batch: Sequence[Envelope]) -> list[Outcome]:
        """Return RETURNED for each envelope: no queue takes it."""
        return [Outcome.RETURNED] * len(batch)

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
