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
RATE_LIMITED = Counter(
    "connector_requests_rate_limited_total",
    "Requests answered 429, by what they counted against: a source, or a user",
    ["counted_by"],
)
EVENTS = Counter(
    "connector_integration_events_total",
    "Integration events received, by what became of them: new, duplicate, invalid",
    ["outcome"],
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
MLLP_CONNECTIONS = Gauge(
    "connector_mllp_connections", "MLLP connections that are open", ["listener"], multiprocess_mode="livesum"
)
MLLP_CLOSED = Counter(
    "connector_mllp_closed_total",
    "MLLP connections that ended or were turned away, and why",
    ["listener", "reason"],
)
MLLP_FRAMES = Counter(
    "connector_mllp_frames_total",
    "MLLP frames: answered, not stored, not answered (the sender had gone), or dropped and why",
    ["listener", "outcome"],
)
MLLP_ACKS = Counter("connector_mllp_acks_total", "Acknowledgements sent, by MSA-1", ["listener", "code"])
MLLP_ACK_SECONDS = Histogram(
    "connector_mllp_ack_seconds",
    "Time from a frame's last byte to its acknowledgement",
    ["listener"],
    buckets=_FAST,
)
MLLP_GROUP = Histogram(
    "connector_mllp_group_frames",
    "Frames that were committed together",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
SENT = Counter("connector_messages_sent_total", "Messages queued to be delivered", ["destination"])
DELIVERY_ATTEMPTS = Counter(
    "connector_delivery_attempts_total",
    "Attempts to deliver a message, by destination and outcome",
    ["destination", "outcome"],
)
DELIVERY_SECONDS = Histogram(
    "connector_delivery_seconds", "Time an attempt to deliver took", ["destination"], buckets=(*_FAST, 30, 60)
)
HIS_PAYLOADS = Counter(
    "connector_his_payloads_total",
    "HIS patient payloads received, by what became of them (accepted, refused, unparseable, repeated)",
    ["outcome"],
)
WEBHOOKS = Counter(
    "connector_webhooks_total",
    "Webhooks received, by source and by what became of them"
    " (accepted, ignored, repeated, refused, bad_signature)",
    ["source", "outcome"],
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
