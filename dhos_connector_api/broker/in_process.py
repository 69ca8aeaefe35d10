"""The bus inside this process, for when there is no RabbitMQ.

The outbox stays the durable part: an envelope counts as published once every consumer of its
routing key has applied it. Without a consumer it comes back as unroutable, and its row waits.
"""

import threading
from collections.abc import Callable, Sequence

from dhos_connector_api.actions.envelope import Envelope, Outcome

#: Applies one envelope durably, at most once per `Envelope.id`. False: not now, try again later.
Consume = Callable[[Envelope], bool]


class InProcessBus:
    """Hands envelopes to consumers; to the relay it looks like the publisher."""

    connected = True
    blocked = False

    def __init__(self) -> None:
        self._consumers: dict[str, list[Consume]] = {}
        self._closed = threading.Event()

    def register(self, routing_key: str, consume: Consume) -> None:
        """Let `consume` have every envelope with exactly that routing key."""
        self._consumers.setdefault(routing_key, []).append(consume)

    def ready(self) -> bool:
        return True

    def publish(self, batch: Sequence[Envelope]) -> list[Outcome]:
        """CONFIRMED where all consumers took it, REFUSED where one did not, RETURNED without any.

        After a refusal what follows under the same routing key is not handed out (REFUSED too):
        consumers get envelopes in order.
        """
        refused: set[str] = set()
        outcomes = []
        for envelope in batch:
            outcome = Outcome.REFUSED if envelope.routing_key in refused else self._hand_out(envelope)
            if outcome is Outcome.REFUSED:
                refused.add(envelope.routing_key)
            outcomes.append(outcome)
        return outcomes

    def _hand_out(self, envelope: Envelope) -> Outcome:
        consumers = self._consumers.get(envelope.routing_key)
        if not consumers:
            return Outcome.RETURNED
        taken = [consume(envelope) for consume in consumers]
        return Outcome.CONFIRMED if all(taken) else Outcome.REFUSED

    def idle(self, seconds: float) -> None:
        """Wait; nothing here needs serving meanwhile."""
        self._closed.wait(seconds)

    def drop(self) -> None:
        """Nothing is under way between two batches."""

    def close(self) -> None:
        """End a wait; consumers are closed by whoever made them."""
        self._closed.set()
