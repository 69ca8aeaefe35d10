"""How messages are delivered to the hospital."""

from dhos_connector_api.metrics import FAST, Counter, Histogram

SENT = Counter("connector_messages_sent_total", "Messages queued to be delivered", ["destination"])
DELIVERY_ATTEMPTS = Counter(
    "connector_delivery_attempts_total",
    "Attempts to deliver a message, by destination and outcome",
    ["destination", "outcome"],
)
DELIVERY_SECONDS = Histogram(
    "connector_delivery_seconds", "Time an attempt to deliver took", ["destination"], buckets=(*FAST, 30, 60)
)
DELIVERY_CONNECTIONS = Counter(
    "connector_delivery_connections_total", "Connections made to an MLLP destination", ["destination"]
)
DELIVERY_ANSWERS_DISCARDED = Counter(
    "connector_delivery_answers_discarded_total",
    "What an MLLP destination sent that answers no message under way: late (it was of an earlier one),"
    " unknown (of none we remember), junk (no frame)",
    ["destination", "why"],
)
