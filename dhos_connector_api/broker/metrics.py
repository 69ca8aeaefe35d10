"""Metrics of the connection to the broker."""

from dhos_connector_api.metrics import Gauge

BROKER_BLOCKED = Gauge(
    "connector_broker_blocked", "1 while the broker refuses to take more", multiprocess_mode="livesum"
)
