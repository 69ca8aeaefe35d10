"""Runs in a process of its own: takes messages off a queue as a consumer does, and tells what memory it took.

`python -m tests.rigs.consuming QUEUE COUNT`, with the BrokerAddress as JSON on its input, acknowledges COUNT
messages one by one, and prints the megabytes it had at most above what it had before the first (VmHWM).
"""

import json
import os
import sys

from dhos_connector_api.actions.envelope import LEGACY_ROUTING_KEY
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.consumer import Consumer
from tests.rigs.memory import Growth

if __name__ == "__main__":
    queue, count = sys.argv[1:]
    address = BrokerAddress(**json.load(sys.stdin))
    grown = Growth(os.getpid())
    consumer = Consumer(address, queue, [LEGACY_ROUTING_KEY])
    for _ in range(int(count)):
        delivery = consumer.receive(20)
        assert delivery is not None
        consumer.acknowledge(delivery)
    consumer.close()
    json.dump(grown.megabytes, sys.stdout)
