"""The JSON of the tags `events`, `mappings` and `api_keys` (marshmallow)."""

import json
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from dhos_connector_api.api.schemas import Instant
from dhos_connector_api.http.dumping import dumper
from dhos_connector_api.http.paging import json_text


class _EventAnswerSchema(Schema):
    """The answer to the sender of an event."""

    id = fields.UUID()
    source_system = fields.String()
    event_code = fields.String()
    encounter_id = fields.String()
    status = fields.String()
    received_at = Instant()


class _EventSchema(_EventAnswerSchema):
    """But for the payload, which is JSON text already."""

    canonical_code = fields.String()
    patient_identifier = fields.String()
    occurred_at = Instant()
    processed_at = Instant()
    error = fields.String()
    message_uuid = fields.UUID()
    envelope_id = fields.UUID()
    correlation_id = fields.String()


class _MappingSchema(Schema):
    id = fields.UUID()
    source_system = fields.String()
    event_code = fields.String()
    canonical_code = fields.String()
    created = Instant()
    modified = Instant()
    modified_by = fields.String()


class _ChangingSchema(Schema):
    id = fields.UUID()
    status = fields.String()
    from_ = fields.String(data_key="from", attribute="from")
    to = fields.String()


class _KeySchema(Schema):
    id = fields.UUID()
    source_system = fields.String()
    hint = fields.String()
    created = Instant()
    created_by = fields.String()
    expires_at = Instant()
    revoked_at = Instant()
    revoked_by = fields.String()
    replaced_by = fields.UUID()
    last_used_at = Instant()


#: An event as its teller is answered.
event_answer = dumper(_EventAnswerSchema())
_event = dumper(_EventSchema())
#: A mapping of a source's code to its meaning.
mapping = dumper(_MappingSchema())
#: An event whose meaning would change.
changing = dumper(_ChangingSchema())
#: An API key, never the key itself.
key = dumper(_KeySchema())


def event(row: Mapping[Any, Any]) -> bytes:
    """Return an event as JSON, with its payload if the row has it."""
    payload = {"payload_json": row["payload_json"].encode()} if "payload_json" in row else {}
    return json_text(_event(row), **payload)


def mapping_text(row: Mapping[Any, Any]) -> bytes:
    """Return a mapping as JSON."""
    return json.dumps(mapping(row)).encode()


def key_text(row: Mapping[Any, Any]) -> bytes:
    """Return an API key as JSON, never the key itself."""
    return json.dumps(key(row)).encode()
