"""How envelopes are published."""

from dhos_connector_api.metrics import FAST, SLOW, Counter, Gauge, Histogram

PUBLISHED = Counter("connector_published_total", "Attempts to publish an envelope, by outcome", ["outcome"])
PUBLISH_SECONDS = Histogram(
    "connector_publish_batch_seconds",
    "Time from handing a batch to the broker to its last confirm",
    buckets=FAST,
)
COMMIT_TO_CONFIRM_SECONDS = Histogram(
    "connector_commit_to_confirm_seconds",
    "Age of an envelope when the broker confirmed it",
    buckets=SLOW,
)
HELD = Gauge(
    "connector_relay_held",
    "Routing keys (unroutable, refused) and senders (in doubt) that the relay holds back",
    ["why"],
    multiprocess_mode="livesum",
)
