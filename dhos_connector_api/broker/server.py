"""Which RabbitMQ it is: asked once, for people."""

from collections.abc import Sequence

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from dhos_connector_api.broker import faults
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.errors import BrokerUnavailable


def version(addresses: Sequence[BrokerAddress]) -> str:
    """Return the version of the first server that answers. Raises BrokerUnavailable with the last cause."""
    for number, address in enumerate(addresses, start=1):
        try:
            connection = pika.BlockingConnection(address.parameters("dhos-connector-api support"))
        except (AMQPError, AMQPConnectorException, OSError) as error:
            if number == len(addresses):
                raise BrokerUnavailable(str(faults.fault_of(error, address))) from None
        else:
            properties = connection._impl.server_properties or {}  # noqa: SLF001  pika has no public name for it
            connection.close()
            return str(properties.get("version", "unknown"))
    return "unknown"
