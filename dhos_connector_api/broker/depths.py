"""How many messages are ready in a queue right now, counted over AMQP by a connection of its own.

The management API's numbers are statistics: as old as their interval, 5 s and more.
"""

from collections.abc import Iterable, Iterator, Sequence

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker

from dhos_connector_api.broker.address import BrokerAddress

_NAME = "dhos-connector-api room"
_NOT_FOUND = 404


def count_ready(addresses: Sequence[BrokerAddress], queues: Iterable[str]) -> dict[str, int]:
    """Return it for each of these queues that could be counted; a queue that is gone has none."""
    found: dict[str, int] = {}
    for address in addresses:
        try:
            connection = pika.BlockingConnection(address.parameters(_NAME))
        except (AMQPError, AMQPConnectorException, OSError):
            continue
        try:
            found.update(_counted(connection, queues))
            connection.close()
        except (AMQPError, OSError):
            return found
        return found
    return found


def _counted(connection: pika.BlockingConnection, queues: Iterable[str]) -> Iterator[tuple[str, int]]:
    for name in queues:
        channel = connection.channel()
        try:
            yield name, channel.queue_declare(name, passive=True).method.message_count
            channel.close()
        except ChannelClosedByBroker as error:  # another's alone (405), or we may not (403)
            if error.reply_code == _NOT_FOUND:
                yield name, 0
