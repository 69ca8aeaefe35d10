"""MLLP connections, frames and acknowledgements."""

from dhos_connector_api.metrics import FAST, Counter, Gauge, Histogram

MLLP_CONNECTIONS = Gauge(
    "connector_mllp_connections", "MLLP connections that are open", ["listener"], multiprocess_mode="livesum"
)
MLLP_LISTENING = Gauge(
    "connector_mllp_listening",
    "MLLP processes that take connections on a listener",
    ["listener"],
    multiprocess_mode="livesum",
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
    buckets=FAST,
)
MLLP_GROUP = Histogram(
    "connector_mllp_group_frames",
    "Frames that were committed together",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
