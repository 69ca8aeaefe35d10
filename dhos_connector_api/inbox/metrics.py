"""What becomes of the envelopes that consumers of our own are given."""

from dhos_connector_api.metrics import SLOW, Counter, Histogram

APPLIED = Counter(
    "connector_consumed_total",
    "Envelopes given to a consumer of our own, by outcome: applied, known (applied before), tried in vain,"
    " unreadable",
    ["consumer", "outcome"],
)
RECEIVED_TO_APPLIED_SECONDS = Histogram(
    "connector_received_to_applied_seconds",
    "Time from a message's arrival until a consumer of our own had applied its envelope",
    buckets=SLOW,
)
