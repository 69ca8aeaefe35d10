"""Builders of rows and settings: every call gives a fresh control id and a later time."""

import secrets
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid5

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import LEGACY_ROUTING_KEY, Envelope
from dhos_connector_api.app import configuration
from dhos_connector_api.config.load import Settings
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.messages.store import Effects, NewMessage

_number = count(1)
_START = datetime(2026, 1, 1, tzinfo=UTC)
#: Keys of this run only: nothing that looks like a secret stands in the repository.
INTERNAL_KEY = secrets.token_hex(32)
ADAPTER_KEY = secrets.token_hex(32)
ISSUER = "http://platform.test/"
ADAPTER_ISSUER = "http://adapter.test/"
WINDOW = timedelta(days=7)


def settings(**environ: str) -> Settings:
    """Settings of a test; keyword arguments are environment variables in lower or upper case."""
    values = {
        "ENVIRONMENT": "DEVELOPMENT",
        "PROXY_URL": ISSUER,
        "HS_KEY": INTERNAL_KEY,
        "EPR_SERVICE_ADAPTER_ISSUER": ADAPTER_ISSUER,
        "EPR_SERVICE_ADAPTER_HS_KEY": ADAPTER_KEY,
    }
    values.update({name.upper(): value for name, value in environ.items()})
    return configuration.read(values)


def later() -> datetime:
    """A time later than any this function gave before."""
    return _START + timedelta(minutes=next(_number))


def new_message(**changes: Any) -> NewMessage:
    """An accepted A01 that has just come in."""
    at = changes.pop("at", None) or later()
    number = next(_number)
    values: dict[str, Any] = {
        "uuid": clock.new_uuid(at),
        "kind": Kind.HL7,
        "at": at,
        "created_by": "epr",
        "src_description": "tie",
        "dst_description": "dhos",
        "state": "accepted",
        "correlation_id": f"request-{number}",
        "received": b"MSH|^~\\&|",
        "content": "MSH|^~\\&|",
        "charset": "utf-8",
        "ack": b"MSA|AA",
        "message_type": "ADT^A01",
        "event_code": "ADT_A01",
        "sending_application": "EPR",
        "sending_facility": "RBH",
        "message_control_id": f"C{number}",
        "sent_at": at,
        "ack_status": "AA",
    }
    return NewMessage(**(values | changes))


def effects(message: NewMessage, **changes: Any) -> Effects:
    """What that message brings with it: its own key, one envelope, an MRN."""
    values: dict[str, Any] = {
        "key": f"{message.sending_application}{message.message_control_id}".encode(),
        "content_hash": b"content",
        "sender": "EPR|RBH",
        "identifiers": [("MRN", f"M{next(_number)}")],
        "envelopes": [Envelope(uuid5(message.uuid, "0"), LEGACY_ROUTING_KEY, b"{}", message.correlation_id)],
    }
    return Effects(**(values | changes))
