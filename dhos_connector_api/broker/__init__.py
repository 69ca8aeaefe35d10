"""RabbitMQ: topology, publisher, consumer, and what stands in where there is none.

The only room that knows pika, whose loggers quote frames and addresses: they stay silent.
"""

import logging

logging.getLogger("pika").setLevel(logging.CRITICAL)
