"""RabbitMQ: topology, publisher, consumer, and the in-process bus that stands in for it.

The only room that knows pika, whose loggers quote frames and addresses: they stay silent.
"""

import logging

logging.getLogger("pika").setLevel(logging.CRITICAL)
