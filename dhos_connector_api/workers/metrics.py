"""Which process is the relay."""

from dhos_connector_api.metrics import Gauge

RELAY_ACTIVE = Gauge(
    "connector_relay_active", "1 while this process holds the relay's lease", multiprocess_mode="livesum"
)
