"""Receive one webhook whose signature is good: keep it, and queue its event if it is new.

The event's identity is its id, or its bytes where it has none; the insert decides what is new. A
webhook that is known is answered like the first one and does nothing.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions.his_payload import Details
from dhos_connector_api.actions.webhook_events import Webhook, known_code, read_webhook
from dhos_connector_api.events import mappings
from dhos_connector_api.events import store as events
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.intake.judge_his import Shape, reason
from dhos_connector_api.messages import store
from dhos_connector_api.messages.store import Effects, NewMessage
from dhos_connector_api.metrics import WEBHOOKS

_log = logging.getLogger(__name__)

#: Webhooks claim no key of the message store: their events have an identity.
_NO_WINDOW = timedelta(0)


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """One webhook; nothing is stored yet. `webhook` is None where the body does not fit (`details`)."""

    row: NewMessage
    webhook: Webhook | None
    payload: Mapping[str, Any]
    identity: bytes
    details: Details

    @property
    def source(self) -> str:
        """his, lis or emr."""
        return self.row.src_description


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of it: accepted, ignored, repeated or refused. `id` is the event's, if there is one."""

    message_uuid: UUID
    id: UUID | None
    outcome: str


def receive(
    raw: bytes, shape: Shape, source: str, *, signed_id: str | None, correlation_id: str
) -> ReceivedWebhook:
    """Read `raw`, of which the door knows `shape`. Pure but for the clock.

    It is named by its `event_id`, else by the id it was signed with, else by its bytes.
    """
    now = clock.now()
    found: Webhook | Details = shape.details or read_webhook(shape.value)
    webhook, details = (found, {}) if isinstance(found, Webhook) else (None, found)
    row = NewMessage(
        uuid=clock.new_uuid(now),
        at=now,
        created_by=source,
        src_description=source,
        dst_description="dhos",
        state="accepted" if webhook else "refused" if shape.is_json else "unparseable",
        correlation_id=correlation_id,
        received=raw,
        content=raw.decode() if shape.is_json else None,
        charset="utf-8" if shape.is_json else None,
        ack=None,
        message_type=f"webhook {source}",
        event_code=webhook.event if webhook else None,
        sent_at=webhook.occurred_at if webhook else None,
        error_text=reason(details),
    )
    name = (webhook.event_id if webhook else None) or signed_id
    return ReceivedWebhook(row, webhook, shape.value or {}, _identity(source, name, raw), details)


def _identity(source: str, name: str | None, raw: bytes) -> bytes:
    """SHA-256 of source and id, or of source and bytes."""
    told = f"id\0{name}" if name is not None else f"body\0{hashlib.sha256(raw).hexdigest()}"
    return hashlib.sha256(f"webhook\0{source}\0{told}".encode("utf-8", "surrogatepass")).digest()


def keep(connection: Connection, received: ReceivedWebhook) -> Receipt:
    """Store the webhook and its event, or find that the event is known: then nothing is stored.

    `connection` is a transaction's; the caller answers when it is committed.
    """
    row, webhook = received.row, received.webhook
    if webhook is None:
        store.insert(connection, row, Effects(), window=_NO_WINDOW)
        return Receipt(row.uuid, None, "refused")
    meanings = mappings.load(connection, [received.source])
    code = meanings.meaning(received.source, webhook.event, known_code(received.source, webhook.event))
    event = _new_event(received, webhook, code)
    if not events.insert(connection, [event]):
        known = events.by_identity(connection, received.identity)
        return Receipt(row.uuid, known["id"] if known else None, "repeated")
    store.insert(connection, row, Effects(identifiers=webhook.identifiers), window=_NO_WINDOW)
    return Receipt(row.uuid, event.id, "ignored" if code is None else "accepted")


def _new_event(received: ReceivedWebhook, webhook: Webhook, code: str | None) -> NewEvent:
    row = received.row
    return NewEvent(
        id=row.uuid,
        source_system=received.source,
        event_code=webhook.event,
        default_code=known_code(received.source, webhook.event),
        canonical_code=code,
        encounter_id=webhook.visit_id,
        patient_identifier=webhook.patient_code,
        payload=received.payload,
        occurred_at=webhook.occurred_at,
        received_at=row.at,
        sender=f"webhook {received.source}",
        correlation_id=row.correlation_id,
        identity=received.identity,
        message_uuid=row.uuid,
        event_fields={"data": dict(webhook.data or {})},
    )


def count(received: ReceivedWebhook, receipt: Receipt) -> None:
    """Count and log one answered webhook. Call it after the commit."""
    WEBHOOKS.labels(received.source, receipt.outcome).inc()
    _log.info(
        "webhook received",
        extra={
            "message_uuid": str(receipt.message_uuid),
            "source": received.source,
            "outcome": receipt.outcome,
            "bytes": len(received.row.received),
        },
    )


def count_bad_signature(source: str) -> None:
    """All that is kept of a webhook that nobody we know has signed."""
    WEBHOOKS.labels(source, "bad_signature").inc()
