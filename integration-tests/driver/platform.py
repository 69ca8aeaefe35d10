"""The platform behind the Connector: a queue bound to the exchange `dhos`, and what arrived in it."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from driver.surroundings import Surroundings
from driver.waiting import BACK_OFF, PATIENCE

EXCHANGE = "dhos"
LEGACY_KEY = "dhos.24891000000101"
EVENT_KEY = "dhos.connector_event"


@dataclass(frozen=True)
class Delivery:
    """One envelope as it came from RabbitMQ."""

    properties: pika.BasicProperties
    body: dict[str, Any]

    @property
    def message_uuid(self) -> str:
        """The stored message the actions were made from."""
        return str(self.body["dhos_connector_message_uuid"])

    def action(self, name: str) -> dict[str, Any]:
        """The data of the first action of that name, as existing consumers take it."""
        data: dict[str, Any] = next(each["data"] for each in self.body["actions"] if each["name"] == name)
        return data


class Platform:
    """A consumer with one queue, bound to one routing key, that keeps everything it gets."""

    def __init__(self, around: Surroundings, routing_key: str) -> None:
        self.arrived: list[Delivery] = []
        credentials = pika.PlainCredentials(around.rabbitmq_username, around.rabbitmq_password)
        self._connection = pika.BlockingConnection(
            pika.ConnectionParameters(
                around.rabbitmq_host, around.rabbitmq_port, around.rabbitmq_vhost, credentials, heartbeat=0
            )
        )
        channel = self._connection.channel()
        # As other services declare it: RabbitMQ refuses this where the Connector declared it otherwise.
        channel.exchange_declare(EXCHANGE, exchange_type="topic", durable=True)
        queue = f"platform-{secrets.token_hex(4)}"
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, EXCHANGE, routing_key)
        channel.basic_consume(queue, self._take)
        self._channel, self._queue = channel, queue

    def _take(self, channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        self.arrived.append(Delivery(properties, json.loads(body.decode())))
        channel.basic_ack(method.delivery_tag)

    def of(self, message_uuid: str) -> list[Delivery]:
        """What has arrived of that message so far."""
        return [each for each in self.arrived if each.message_uuid == message_uuid]

    def wait_for(self, message_uuid: str, within: float = PATIENCE) -> Delivery:
        """The message's first envelope; waits for it. Raises AssertionError when it does not come."""
        deadline = time.monotonic() + within
        while not (found := self.of(message_uuid)):
            assert time.monotonic() < deadline, f"no envelope of the message arrived within {within:.0f} s"
            self._connection.process_data_events(time_limit=0.2)
        return found[0]

    def of_encounter(self, encounter_id: str) -> list[Delivery]:
        """The events of that encounter so far."""
        return [each for each in self.arrived if each.action("process_event")["encounter_id"] == encounter_id]

    def wait_until(self, probe: Callable[[], bool], what: str, within: float = BACK_OFF) -> None:
        """Take what arrives until `probe` is true. Raises AssertionError naming `what` does not come."""
        deadline = time.monotonic() + within
        while not probe():
            assert time.monotonic() < deadline, f"within {within:.0f} s there was no {what}"
            self._connection.process_data_events(time_limit=0.2)

    def is_there(self, queue: str) -> bool:
        """Return whether another consumer has made that queue: what came before goes past it."""
        channel = self._connection.channel()
        try:
            channel.queue_declare(queue, passive=True)
        except ChannelClosedByBroker:
            return False
        channel.close()
        return True

    def remove(self, queue: str) -> None:
        """Delete a queue that another consumer has left, so that it takes nothing of later scenarios."""
        self._channel.queue_delete(queue)

    def leave(self) -> None:
        """Delete the queue and disconnect."""
        self._channel.queue_delete(self._queue)
        self._connection.close()
