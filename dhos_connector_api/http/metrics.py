"""How long requests take, and which are held back."""

from dhos_connector_api.metrics import FAST, Counter, Histogram

REQUEST_SECONDS = Histogram(
    "connector_request_seconds", "Time to answer a request", ["operation", "status"], buckets=FAST
)
RATE_LIMITED = Counter(
    "connector_requests_rate_limited_total",
    "Requests answered 429, by what they counted against: a source, or a user",
    ["counted_by"],
)
CONNECTIONS_ENDED = Counter(
    "connector_http_connections_ended_total", "HTTP connections that were cut off, by reason", ["reason"]
)
