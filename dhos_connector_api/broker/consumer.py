"""A consumer of one queue: takes messages one at a time and acknowledges by hand.

A message is acknowledged after its effect is committed, never before (at least once; the effect
records the message_id, so twice delivered is once applied). `prefetch` counts messages and not bytes; all the
same no more than one or two are in memory: pika reads from the socket only until it has one to give.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pika
from pika.exceptions import AMQPError

from dhos_connector_api.broker import topology
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.errors import BrokerUnavailable

#: Seconds that are waited for a message which may have come already.
_NO_TIME = 0.005
#: Bytes after which a batch of messages is not added to: what is read from them needs several times as much.
MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as RabbitMQ delivered it. `timestamp` is POSIX seconds."""

    tag: int
    routing_key: str
    body: bytes
    message_id: str | None
    correlation_id: str | None
    content_type: str | None
    timestamp: int | None
    persistent: bool
    redelivered: bool
    headers: dict[str, Any]


class Consumer:
    """A queue bound to the exchange `dhos`, and a connection that takes from it.

    Every method raises BrokerUnavailable once the connection is lost; then make a new one.
    """

    def __init__(
        self,
        address: BrokerAddress,
        queue: str,
        routing_keys: Sequence[str],
        *,
        prefetch: int = 100,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        with _broker_errors():
            self._connection = pika.BlockingConnection(address.parameters(f"dhos-connector-api {queue}"))
            self._channel = self._connection.channel()
            self._channel.basic_qos(prefetch_count=prefetch)
            self._channel.exchange_declare(topology.EXCHANGE, "topic", durable=True)
            self._channel.queue_declare(queue, durable=True, arguments=arguments)
            for key in routing_keys:
                self._channel.queue_bind(queue, topology.EXCHANGE, routing_key=key)
        self._queue = queue

    def receive(self, seconds: float) -> Delivery | None:
        """Return the next message, or None when none came for that long. Serves heartbeats meanwhile."""
        with _broker_errors():
            method, header, body = next(self._channel.consume(self._queue, inactivity_timeout=seconds))
        if method is None:
            return None
        return Delivery(
            tag=method.delivery_tag,
            routing_key=method.routing_key,
            body=body,
            message_id=header.message_id,
            correlation_id=header.correlation_id,
            content_type=header.content_type,
            timestamp=header.timestamp,
            persistent=header.delivery_mode == pika.DeliveryMode.Persistent.value,
            redelivered=method.redelivered,
            headers=header.headers or {},
        )

    def receive_many(self, most: int, seconds: float) -> list[Delivery]:
        """Return up to `most` messages that are there; waits that long for the first, and not for others.

        No further one is taken once they are MOST_BYTES long.
        """
        found: list[Delivery] = []
        size = 0
        while len(found) < most and size < MOST_BYTES:
            following = self.receive(_NO_TIME if found else seconds)
            if following is None:
                break
            found.append(following)
            size += len(following.body)
        return found

    def serve(self, seconds: float) -> None:
        """Wait that long, and answer RabbitMQ's heartbeats meanwhile."""
        with _broker_errors():
            self._connection.sleep(seconds)

    def acknowledge_through(self, delivery: Delivery) -> None:
        """As `acknowledge`, for every message up to this one."""
        with _broker_errors():
            self._channel.basic_ack(delivery.tag, multiple=True)

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell RabbitMQ that it may forget the message: its effect is committed."""
        with _broker_errors():
            self._channel.basic_ack(delivery.tag)

    def reject(self, delivery: Delivery, *, requeue: bool) -> None:
        """Put the message back, or dead-letter it where the queue has a dead-letter exchange."""
        with _broker_errors():
            self._channel.basic_reject(delivery.tag, requeue=requeue)

    def close(self) -> None:
        """Close; what was taken and not acknowledged goes back to the queue."""
        if self._connection.is_open:
            with _broker_errors():
                self._connection.close()


@contextmanager
def _broker_errors() -> Iterator[None]:
    try:
        yield
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable("RabbitMQ did not answer") from error
