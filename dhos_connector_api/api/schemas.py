"""The JSON of messages and deliveries (marshmallow)."""

import binascii
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from marshmallow import Schema, fields

from dhos_connector_api.hl7v2.datetimes import instant
from dhos_connector_api.http.dumping import dumper
from dhos_connector_api.http.paging import json_text


class Instant(fields.Field[datetime]):
    """A point in time: ISO 8601 in UTC with milliseconds, `2024-01-02T10:15:00.000Z`."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else instant(value)


class MatchedOnSchema(Schema):
    """Which identifier a search found the message under."""

    identifier_type = fields.String()
    identifier = fields.String()
    merged = fields.Boolean()


class MessageSchema(Schema):
    """The fields of the contract first, then ours; `openapi/schemas/messages.yaml` describes them.

    Its bytes (`body`) are not among them: they are added as text, where they are asked for.
    """

    uuid = fields.UUID()
    created = Instant()
    created_by = fields.String()
    modified = Instant()
    modified_by = fields.String()
    content = fields.String()
    message_type = fields.String()
    sent_at = Instant()
    is_processed = fields.Boolean()
    src_description = fields.String()
    dst_description = fields.String()
    message_control_id = fields.String()
    ack_status = fields.String()

    state = fields.String()
    event_code = fields.String()
    sending_application = fields.String()
    sending_facility = fields.String()
    error_code = fields.String()
    error_location = fields.String()
    error_text = fields.String()
    processed_at = Instant()
    duplicate_of = fields.UUID()
    repeats = fields.Integer()
    repeated_at = Instant()
    replayed_at = Instant()
    correlation_id = fields.String()
    title = fields.String()
    door = fields.String()
    remarks = fields.String()
    left_out = fields.Raw()
    content_removed = fields.Boolean()
    charset = fields.String()
    ack = fields.Function(lambda row: _text(row["ack"], row["charset"]))


class DeliverySchema(Schema):
    """A delivery; `openapi/schemas/deliveries.yaml` describes it."""

    uuid = fields.UUID()
    message_uuid = fields.UUID()
    message_control_id = fields.String()
    message_type = fields.String()
    destination = fields.String()
    state = fields.String()
    created = Instant()
    due_at = Instant()
    leased_until = Instant()
    settled_at = Instant()
    superseded_by = fields.UUID()
    attempts = fields.Integer()
    ambiguous = fields.Integer()
    ack_status = fields.String()
    last_error = fields.String()
    correlation_id = fields.String()


class AttemptSchema(Schema):
    """One attempt at a delivery."""

    number = fields.Integer()
    started_at = Instant()
    outcome = fields.String()
    seconds = fields.Float()
    http_status = fields.Integer()
    ack_code = fields.String()
    error = fields.String()
    detail = fields.String()


_message = dumper(MessageSchema())
_delivery = dumper(DeliverySchema())
_attempt = dumper(AttemptSchema())
_matched_on = dumper(MatchedOnSchema())


def message(row: Mapping[Any, Any]) -> bytes:
    """Return a row of the message store as JSON, with its bytes if the row has them."""
    return json_text(_message(row), **_bytes(row))


def found_message(row: Mapping[Any, Any], identifier_type: str, identifier: str) -> bytes:
    """Return a message that was found under an identifier as JSON, with which one it was."""
    matched = {
        "identifier_type": identifier_type,
        "identifier": identifier if row["direct"] else row["merged_from"],
        "merged": not row["direct"],
    }
    return json_text(_message(row) | {"matched_on": _matched_on(matched)}, **_bytes(row))


def delivery(row: Mapping[Any, Any]) -> bytes:
    """Return a delivery as JSON."""
    return json.dumps(_delivery(row)).encode()


def delivery_with_attempts(row: Mapping[Any, Any], attempts: Iterable[Mapping[Any, Any]]) -> dict[str, Any]:
    """Return a delivery with every attempt, the first first."""
    return {**_delivery(row), "history": [_attempt(each) for each in attempts]}


def _bytes(row: Mapping[Any, Any]) -> dict[str, bytes]:
    """The member with the bytes, as JSON text; none where they were not asked for."""
    if "received" not in row:
        return {}
    raw = row["received"]
    return {"body": b"null" if raw is None else b'"%b"' % binascii.b2a_base64(raw, newline=False)}


def _text(raw: bytes | None, charset: str | None) -> str | None:
    return None if raw is None else bytes(raw).decode(charset or "utf-8", "replace")
