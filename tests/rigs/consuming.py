"""Runs in a process of its own: takes messages off a queue as a consumer does, and tells what memory it took.

`python -m tests.rigs.consuming QUEUE COUNT`, with the BrokerAddress as JSON on its input, acknowledges COUNT
messages in batches, and prints the megabytes it had at most above what it had before the first (VmHWM).
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
    left = int(count)
    while left:
        deliveries = consumer.receive_many(100, 20)
        assert deliveries
        consumer.acknowledge_through(deliveries[-1])
        left -= len(deliveries)
    consumer.close()
    json.dump(grown.megabytes, sys.stdout)
