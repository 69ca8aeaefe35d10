"""What came in, by what became of it."""

from dhos_connector_api.metrics import Counter

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
CLAIMED = Counter(
    "connector_claimed_senders_refused_total",
    "Messages refused because their sender is claimed by another door, by the door they came through",
    ["door"],
)
COLLISIONS = Counter(
    "connector_control_id_collisions_total",
    "Messages refused because other content under their control id came through another door,"
    " by the door they came through",
    ["door"],
)
CONFLICTS = Counter(
    "connector_control_id_conflicts_total",
    "Messages refused because another message had their control id, by sender (MSH-3|MSH-4)",
    ["sender"],
)
EVENTS = Counter(
    "connector_integration_events_total",
    "Integration events received, by what became of them: new, duplicate, invalid",
    ["outcome"],
)
HIS_PAYLOADS = Counter(
    "connector_his_payloads_total",
    "HIS patient payloads received, by what became of them (accepted, refused, unparseable, repeated)",
    ["outcome"],
)
WEBHOOKS = Counter(
    "connector_webhooks_total",
    "Webhooks received, by source and by what became of them"
    " (accepted, ignored, repeated, conflict, refused, bad_signature)",
    ["source", "outcome"],
)
