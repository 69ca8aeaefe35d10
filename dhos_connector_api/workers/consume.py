"""The consuming process: takes envelopes from RabbitMQ, has them applied, and then acknowledges them.

Any number of these processes may run. What is in hand when the database is away stays in hand; what is in
hand when RabbitMQ is lost comes again, and is known then.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from dhos_connector_api.broker.consumer import Delivery
from dhos_connector_api.errors import BrokerUnavailable, StorageUnavailable
from dhos_connector_api.inbox.apply import Reader
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.stopping import Stop
from dhos_connector_api.workers import loop
from dhos_connector_api.workers.metrics import CONSUMERS_CONNECTED

log = logging.getLogger(__name__)

#: Envelopes that a transaction applies, and those that RabbitMQ gives a process before any is acknowledged:
#: while one batch is applied the next is on its way, as a quorum queue takes its time to settle the first.
BATCH = 100
PREFETCH = 2 * BATCH
#: Seconds that are waited for the first of them, and between two looks for what is to be tried again.
POLL, TRY_AGAIN = 0.1, 0.5
#: Database connections of a process: one that applies, one that tries again.
CONNECTIONS = 2


class Queue(Protocol):
    """Where envelopes come from: `broker.consumer.Consumer`."""

    def receive_many(self, most: int, seconds: float) -> list[Delivery]: ...
    def acknowledge_through(self, delivery: Delivery) -> None: ...
    def serve(self, seconds: float) -> None: ...
    def close(self) -> None: ...


#: Connects to the queue. Raises BrokerUnavailable.
MakeQueue = Callable[[], Queue]


class ConsumeWorker:
    """The step of the consuming process."""

    def __init__(self, make_queue: MakeQueue, readers: Sequence[Reader], stop: threading.Event) -> None:
        self._make_queue = make_queue
        self._readers = readers
        self._stop = stop
        self._queue: Queue | None = None
        self._in_hand: list[Delivery] = []

    @property
    def in_hand(self) -> int:
        """Return the envelopes that were taken from the queue and not acknowledged."""
        return len(self._in_hand)

    def step(self) -> bool:
        """Apply what the queue has, up to BATCH; return False: it has nothing.

        Raises StorageUnavailable and BrokerUnavailable; then it goes on with the next step.
        """
        try:
            queue = self._connected()
            if not self._in_hand:
                self._in_hand = queue.receive_many(BATCH, POLL)
            if not self._in_hand:
                return False
            letters = [_letter(each) for each in self._in_hand]
            for reader in self._readers:
                reader.take(letters)
            queue.acknowledge_through(self._in_hand[-1])
        except BrokerUnavailable:
            self._let_go()
            raise
        self._in_hand = []
        return True

    def idle(self, seconds: float) -> None:
        """Wait, while RabbitMQ's heartbeats are answered."""
        if self._queue is None:
            self._stop.wait(seconds)
            return
        try:
            self._queue.serve(seconds)
        except BrokerUnavailable:
            self._let_go()

    def check(self) -> None:
        """Raise StorageUnavailable while there is no connection to the queue."""
        if self._queue is None:
            raise StorageUnavailable("there is no connection to the queue")

    def close(self) -> None:
        """Leave in good order; what is in hand goes back to the queue."""
        if self._queue is not None:
            loop.logged(self._queue.close, "the connection to the queue was not closed")
        self._let_go()

    def _connected(self) -> Queue:
        if self._queue is None:
            self._queue = self._make_queue()
            CONSUMERS_CONNECTED.set(1)
            log.info("consuming")
        return self._queue

    def _let_go(self) -> None:
        self._queue, self._in_hand = None, []
        CONSUMERS_CONNECTED.set(0)


def _letter(delivery: Delivery) -> Letter:
    return Letter(delivery.message_id, delivery.routing_key, delivery.correlation_id, delivery.body)


def try_again(readers: Sequence[Reader], stop: threading.Event) -> None:
    """Try again what consumers could not apply, when it is due, until `stop` is set."""

    def step() -> bool:
        worked = [each.try_again() for each in readers]
        return any(worked)

    loop.run(step, idle=stop.wait, rest=lambda worked: 0.0 if worked else TRY_AGAIN, stop=stop)


def run(worker: ConsumeWorker, readers: Sequence[Reader], stop: Stop) -> None:
    """Consume until `stop` is set; end what is in hand."""
    again = threading.Thread(target=try_again, args=(readers, stop), name="try-again")
    again.start()
    try:
        loop.run(worker.step, idle=worker.idle, rest=lambda _: 0.0, stop=stop)
        stop.begins(envelopes=worker.in_hand)
    finally:
        stop.set()
        again.join()
        worker.close()
    stop.ended()
