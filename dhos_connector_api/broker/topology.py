"""The exchanges and queues of the contract with the platform (DESIGN, "RabbitMQ").

Every service around us declares the same ones: an argument that differs breaks the others, so
nothing here depends on a setting.
"""

from collections.abc import Callable
from typing import Any

EXCHANGE = "dhos"
DEAD_LETTER_EXCHANGE = "dhos-dlx"
RETRY_EXCHANGE = "dhos-retry"
ERRORS_QUEUE = "errors"
RETRY_QUEUE = "retry"
RETRY_ARGUMENTS: dict[str, Any] = {
    "x-message-ttl": 60000,
    "x-dead-letter-exchange": EXCHANGE,
    "x-queue-mode": "default",
}

Done = Callable[[Any], None]


def declare(channel: Any, done: Done) -> None:
    """Declare everything; `done` is called with the last answer.

    What exists alike is left as it is. Where something exists with other arguments, or the user may
    not configure, RabbitMQ closes the channel (AMQP 406, 403) and `done` is never called: see `check`.
    pika sends one request after the other.
    """
    channel.exchange_declare(EXCHANGE, "topic", durable=True, callback=_ignore)
    channel.exchange_declare(DEAD_LETTER_EXCHANGE, "fanout", durable=True, callback=_ignore)
    channel.exchange_declare(RETRY_EXCHANGE, "fanout", durable=True, callback=_ignore)
    channel.queue_declare(ERRORS_QUEUE, durable=True, callback=_ignore)
    channel.queue_declare(RETRY_QUEUE, durable=True, arguments=RETRY_ARGUMENTS, callback=_ignore)
    channel.queue_bind(ERRORS_QUEUE, DEAD_LETTER_EXCHANGE, routing_key="", callback=_ignore)
    channel.queue_bind(RETRY_QUEUE, RETRY_EXCHANGE, routing_key="", callback=done)


def check(channel: Any, done: Done) -> None:
    """Ask whether there is an exchange to publish to; AMQP 404 closes the channel if there is none."""
    channel.exchange_declare(EXCHANGE, "topic", passive=True, callback=done)


def _ignore(_answer: Any) -> None:
    """Do nothing: the next request waits for this answer by itself."""
