"""The columns of an event as the API shows it.

An event joins its `message` and its envelope in the `outbox`: its status follows from them, and is not
stored a second time.
"""

from dhos_connector_api.events.states import EventState, EventStatus

#: By the event `e`, its message `m` and its envelope `o`. An envelope that waits makes it pending again.
STATUS = f"""
CASE WHEN e.state = '{EventState.IGNORED}' THEN '{EventStatus.IGNORED}'
    WHEN o.dead_at IS NOT NULL THEN '{EventStatus.FAILED}'
    WHEN o.id IS NOT NULL AND o.published_at IS NULL THEN '{EventStatus.PENDING}'
    WHEN m.is_processed THEN '{EventStatus.PROCESSED}'
    ELSE '{EventStatus.PROCESSING}' END
"""
COLUMNS = f"""
e.id, e.source_system, e.event_code, e.canonical_code, e.encounter_id, e.patient_identifier,
{STATUS} AS status, e.occurred_at, e.received_at, m.processed_at,
o.last_error AS error, e.message_uuid, e.envelope_id, e.correlation_id
"""
#: The payload as JSON text: it is handed on as it is, and read by nobody here.
PAYLOAD = "CAST(e.payload AS text) AS payload_json"
#: How many bytes that has. It has to be read for it: a JSONB knows only how long it is compressed.
PAYLOAD_SIZE = "octet_length(CAST(e.payload AS text))"
JOINS = """
LEFT JOIN outbox o ON o.id = e.envelope_id
LEFT JOIN message m ON m.uuid = e.message_uuid
"""
