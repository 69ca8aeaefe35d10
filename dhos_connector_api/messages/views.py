"""The views of a message: the columns of every query that shows messages."""

from dataclasses import dataclass, replace

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
    WHEN m.dst_description = 'tie' AND starts_with(m.message_type, 'ORU') THEN 'oru'
    WHEN m.dst_description = 'tie' THEN 'acknowledgement'
    WHEN m.message_type = 'integration event' THEN 'event'
    WHEN m.src_description = 'tie' THEN 'hl7'
    WHEN m.message_type = 'HIS patient data' THEN 'his'
    ELSE 'webhook' END) AS kind
"""

#: Fields of the contract and ours, but for what is in the body.
_FACTS = f"""
m.uuid, m.created, m.created_by, m.modified, m.modified_by, m.message_type, m.sent_at,
m.is_processed, m.src_description, m.dst_description, m.message_control_id, m.ack_status,
m.state, m.event_code, m.sending_application, m.sending_facility, m.error_code, m.error_location,
m.error_text, m.processed_at, m.duplicate_of, m.replayed_at, m.correlation_id, m.title, m.door,
m.door_charset, m.remarks, m.left_out,
coalesce(k.repeats, 0) AS repeats, k.repeated_at, {_KIND}
"""
_CONTENT = "b.content, b.charset, b.ack, b.message_uuid IS NULL AS content_removed"
#: What a sender may make as long as a message.
_LONG_FACTS = (
    *("m.created_by", "m.modified_by", "m.src_description", "m.message_control_id", "m.message_type"),
    *("m.event_code", "m.sending_application", "m.sending_facility", "m.error_text", "m.title"),
    "CAST(m.left_out AS text)",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a message: its columns, and SQL for their bytes, which reads none of them."""

    columns: str
    size: str

    @property
    def only_size(self) -> "Shown":
        """Return what shows no more than how many bytes that would be."""
        return replace(self, columns="m.uuid")


def _size(*columns: str) -> str:
    return " + ".join(f"coalesce(octet_length({column}), 0)" for column in columns)


#: Without its body; with its bytes; with its text and its acknowledgement; and with all of these.
FACTS = Shown(_FACTS, _size(*_LONG_FACTS))
RECEIVED = Shown(f"{_FACTS}, b.received", _size(*_LONG_FACTS, "b.received"))
CONTENT = Shown(f"{_FACTS}, {_CONTENT}", _size(*_LONG_FACTS, "b.content", "b.ack"))
WHOLE = Shown(f"{_FACTS}, {_CONTENT}, b.received", _size(*_LONG_FACTS, "b.content", "b.ack", "b.received"))
