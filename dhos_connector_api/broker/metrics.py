"""Metrics of the connection to the broker."""

from prometheus_client import Gauge

BROKER_BLOCKED = Gauge(
    "connector_broker_blocked", "1 while the broker refuses to take more", multiprocess_mode="livesum"
)
