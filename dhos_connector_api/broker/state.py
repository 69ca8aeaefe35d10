"""Whether RabbitMQ lets us in, found out now and then for whoever asks, by a connection of its own."""

from collections.abc import Callable, Sequence
from threading import Lock

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from dhos_connector_api import clock
from dhos_connector_api.broker import faults
from dhos_connector_api.broker.address import BrokerAddress

#: Seconds an answer holds.
FRESH = 10.0
_NAME = "dhos-connector-api ready"


class BrokerState:
    """One word: `ok`, or the cause. One thread at a time finds out; others get what was known before it."""

    def __init__(
        self, addresses: Sequence[BrokerAddress], monotonic: Callable[[], float] = clock.monotonic
    ) -> None:
        self._addresses = addresses
        self._monotonic = monotonic
        self._lock = Lock()
        self._known = "not known"
        self._fresh_until = float("-inf")

    def __call__(self) -> str:
        """Return it; `not set` where there is no broker, `not known` before the first answer."""
        if not self._addresses:
            return "not set"
        if self._monotonic() >= self._fresh_until and self._lock.acquire(blocking=False):
            try:
                self._known = self._found_out()
                self._fresh_until = self._monotonic() + FRESH
            finally:
                self._lock.release()
        return self._known

    def _found_out(self) -> str:
        found = "not known"
        for address in self._addresses:
            try:
                pika.BlockingConnection(address.parameters(_NAME)).close()
            except (AMQPError, AMQPConnectorException, OSError) as error:
                found = str(faults.fault_of(error, address).cause)
            else:
                return "ok"
        return found
