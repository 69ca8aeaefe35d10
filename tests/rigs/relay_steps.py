"""A relay that makes its steps when a test says so, with a broker and a clock written by hand."""

from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY, Envelope, Outcome
from dhos_connector_api.outbox.relay import Relay


class Broker:
    """Keeps what it takes. `bound` are the routing keys with a queue; it can be told to misbehave.

    `room`: so many messages a second queue of every key has room for; without, it refuses. `copies` are
    those that the first queue got.
    """

    def __init__(self) -> None:
        self.taken: list[UUID] = []
        self.batches: list[int] = []
        self.bound = {LEGACY_ROUTING_KEY, EVENT_ROUTING_KEY}
        self.too_large: set[UUID] = set()
        self.refuses: set[UUID] = set()
        self.breaks_after: int | None = None
        self.room: int | None = None
        self.copies: Counter[UUID] = Counter()

    def publish(self, batch: Sequence[Envelope]) -> list[Outcome]:
        self.batches.append(len(batch))
        if any(envelope.id in self.too_large for envelope in batch):
            return [Outcome.IMPOSSIBLE if len(batch) == 1 else Outcome.UNKNOWN] * len(batch)
        outcomes = [self._outcome(envelope) for envelope in batch]
        if self.breaks_after is not None:
            outcomes[self.breaks_after :] = [Outcome.UNKNOWN] * (len(batch) - self.breaks_after)
        return outcomes

    def _outcome(self, envelope: Envelope) -> Outcome:
        if envelope.routing_key not in self.bound:
            return Outcome.RETURNED
        self.copies[envelope.id] += 1
        if envelope.id in self.refuses or self.room == 0:
            return Outcome.REFUSED
        if self.room is not None:
            self.room -= 1
        self.taken.append(envelope.id)
        return Outcome.CONFIRMED


class Clockwork:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def a_relay(session: Connection, broker: Broker, monotonic: Callable[[], float] | None = None) -> Relay:
    relay = Relay(broker.publish, now=clock.now, monotonic=monotonic or Clockwork())
    relay.begin(session)
    return relay


def drain(relay: Relay, steps: int = 100) -> None:
    for _ in range(steps):
        if not relay.step():
            return
    raise AssertionError("the relay does not come to rest")
