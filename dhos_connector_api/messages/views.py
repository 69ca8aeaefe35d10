"""The views of a message: the columns of every query that shows messages."""

#: Joins of `message m` to its body and to the key it holds. A message whose key was claimed anew
#: by a later one no longer counts that one's repeats.
MESSAGE_JOINS = """
LEFT JOIN message_body b ON b.message_uuid = m.uuid AND b.created = m.created
LEFT JOIN message_key k ON k.key = m.key AND k.message_uuid = m.uuid
"""

#: The kind; of a message kept by a build that knew of none, what it would have been.
_KIND = """
coalesce(m.kind, CASE
    WHEN m.dst_description = 'mirth' THEN 'cda'
    WHEN m.dst_description = 'tie' AND m.message_type LIKE 'ORU%' THEN 'oru'
    WHEN m.dst_description = 'tie' THEN 'acknowledgement'
    WHEN m.message_type = 'integration event' THEN 'event'
    WHEN m.src_description = 'tie' THEN 'hl7'
    WHEN m.message_type = 'HIS patient data' THEN 'his'
    ELSE 'webhook' END) AS kind
"""

#: The fields of the contract first, then ours.
MESSAGE_COLUMNS = f"""
m.uuid, m.created, m.created_by, m.modified, m.modified_by, b.content, m.message_type, m.sent_at,
m.is_processed, m.src_description, m.dst_description, m.message_control_id, m.ack_status,
m.state, m.event_code, m.sending_application, m.sending_facility, m.error_code, m.error_location,
m.error_text, m.processed_at, m.duplicate_of, m.replayed_at, m.correlation_id, m.title, m.door,
coalesce(k.repeats, 0) AS repeats, k.repeated_at, b.received, b.charset, b.ack, {_KIND}
"""
