"""Metrics of the connection to the broker."""

from dhos_connector_api.metrics import Gauge

BROKER_CONNECTED = Gauge(
    "connector_broker_connected",
    "1 while the relay that is active has a connection to the broker",
    multiprocess_mode="livesum",
)
BROKER_BLOCKED = Gauge(
    "connector_broker_blocked", "1 while the broker refuses to take more", multiprocess_mode="livesum"
)
MANAGEMENT_ANSWERS = Gauge(
    "connector_broker_management_answers",
    "1 while the broker's management API, where it is asked, answers",
    multiprocess_mode="livesum",
)
