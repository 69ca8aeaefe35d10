"""Every metric the Connector keeps, by its Prometheus name. No label ever holds patient data.

With PROMETHEUS_MULTIPROC_DIR set (the supervisor does) the web processes share their values.
"""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)

RECEIVED = Counter(
    "connector_messages_received_total",
    "Messages received, by event (`other` where it is not one we take) and by what was answered",
    ["event", "ack"],
)
REPEATED = Counter(
    "connector_messages_repeated_total",
    "Messages that were known already, by how that was answered",
    ["answer"],
)
REQUEST_SECONDS = Histogram(
    "connector_request_seconds", "Time to answer a request", ["operation", "status"], buckets=_FAST
)
PUBLISHED = Counter("connector_published_total", "Attempts to publish an envelope, by outcome", ["outcome"])
PUBLISH_SECONDS = Histogram(
    "connector_publish_batch_seconds",
    "Time from handing a batch to the broker to its last confirm",
    buckets=_FAST,
)
COMMIT_TO_CONFIRM_SECONDS = Histogram(
    "connector_commit_to_confirm_seconds",
    "Age of an envelope when the broker confirmed it",
    buckets=_SLOW,
)
RELAY_ACTIVE = Gauge(
    "connector_relay_active", "1 while this process holds the relay's lease", multiprocess_mode="livesum"
)
BROKER_BLOCKED = Gauge(
    "connector_broker_blocked", "1 while the broker refuses to take more", multiprocess_mode="livesum"
)
