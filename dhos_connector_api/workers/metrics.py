"""Which process is the relay, who consumes, and which build runs."""

from dhos_connector_api.metrics import Gauge

RELAY_ACTIVE = Gauge(
    "connector_relay_active", "1 while this process holds the relay's lease", multiprocess_mode="livesum"
)
CONSUMERS_CONNECTED = Gauge(
    "connector_consumers_connected",
    "Processes that take envelopes for our own consumers from RabbitMQ",
    multiprocess_mode="livesum",
)
BUILD_INFO = Gauge(
    "connector_build_info",
    "1; its labels say which build runs",
    ["version", "hash", "python"],
    multiprocess_mode="livemax",
)
