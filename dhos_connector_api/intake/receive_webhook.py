"""Receive one webhook whose signature is good: keep it, and queue its event if it is new.

The event's identity is its id, or its bytes where it has none; the insert decides what is new. A
webhook that is known is answered like the first one and does nothing: also one that does not fit, of
which the bytes are kept once however often it comes.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions.his.webhooks import Webhook, known_code, read_webhook
from dhos_connector_api.errors import Details, StorageUnavailable
from dhos_connector_api.events import mappings
from dhos_connector_api.events import store as events
from dhos_connector_api.events.store import Kept, NewEvent
from dhos_connector_api.intake.judge_his import failed, reason
from dhos_connector_api.intake.metrics import WEBHOOKS
from dhos_connector_api.messages import store
from dhos_connector_api.messages.store import Effects, NewMessage
from dhos_connector_api.spec.kept_body import Shape

_log = logging.getLogger(__name__)

#: The type of a webhook's message, with its source.
MESSAGE_TYPE = "webhook {}"
#: How long the bytes of a webhook that does not fit are known: for ever. Events have an identity instead.
_FOR_EVER = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """One webhook; nothing is stored yet.

    `webhook` is None where the body does not fit (`details`), or could not be read because of a fault
    of ours (`failed`). `default_code` is what the event means where no mapping says otherwise.
    """

    row: NewMessage
    webhook: Webhook | None
    default_code: str | None
    payload: Mapping[str, Any]
    identity: bytes
    details: Details
    failed: bool = False

    @property
    def source(self) -> str:
        """his, lis or emr."""
        return self.row.src_description


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of it: accepted, ignored, repeated or refused. `id` is the event's, if there is one.

    `known`: it came before; nothing was stored, and `message_uuid` is the first one's.
    """

    message_uuid: UUID
    id: UUID | None
    outcome: str
    known: bool = False


def receive(
    raw: bytes,
    shape: Shape,
    source: str,
    *,
    signed_id: str | None,
    correlation_id: str,
    message_uuid: UUID | None = None,
) -> ReceivedWebhook:
    """Read `raw`, of which the door knows `shape`. Pure but for the clock.

    It is named by its `event_id`, else by the id it was signed with, else by its bytes. `message_uuid` is
    given when a stored webhook is read again; a new one gets a new one.
    """
    found: Webhook | Details = {} if shape.failed else shape.details or read_webhook(shape.value)
    webhook, details = (found, {}) if isinstance(found, Webhook) else (None, found)
    row = _row(raw, shape, source, webhook, signed_id, correlation_id, message_uuid)
    name = (webhook.event_id if webhook else None) or signed_id
    return ReceivedWebhook(
        failed(row) if shape.failed else replace(row, error_text=reason(details)),
        webhook,
        known_code(source, webhook.event) if webhook else None,
        shape.value or {},
        _identity(source, name, raw),
        details,
        failed=shape.failed,
    )


def _row(
    raw: bytes,
    shape: Shape,
    source: str,
    webhook: Webhook | None,
    signed_id: str | None,
    correlation_id: str,
    message_uuid: UUID | None,
) -> NewMessage:
    """The message by which the webhook is kept; of one that does not fit the id it was signed with is its
    control id. One that fits is kept with its event, which goes by its identity.
    """
    now = clock.now()
    return NewMessage(
        uuid=message_uuid or clock.new_uuid(now),
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
        message_type=MESSAGE_TYPE.format(source),
        event_code=webhook.event if webhook else None,
        message_control_id=signed_id,
        sent_at=webhook.occurred_at if webhook else None,
    )


def _identity(source: str, name: str | None, raw: bytes) -> bytes:
    """SHA-256 of source and id, or of source and bytes."""
    told = f"id\0{name}" if name is not None else f"body\0{hashlib.sha256(raw).hexdigest()}"
    return hashlib.sha256(f"webhook\0{source}\0{told}".encode("utf-8", "surrogatepass")).digest()


def known(connection: Connection, received: ReceivedWebhook) -> Receipt | None:
    """What became of the webhook when it came before; None where it is new, as far as can be seen now."""
    if received.webhook is None:
        key = _bytes_key(received)
        holder = store.key_holder(connection, key, at=received.row.at, window=_FOR_EVER)
        if holder is None:
            return None
        store.count_repeat(connection, key, at=received.row.at)
        return Receipt(holder.message_uuid, None, "refused", known=True)
    event = events.by_identity(connection, received.identity)
    return Receipt(event["message_uuid"], event["id"], "repeated", known=True) if event else None


def keep(connection: Connection, received: ReceivedWebhook) -> Receipt:
    """Store the webhook and its event, or find that it is known: then nothing is stored.

    `connection` is a transaction's; the caller answers when it is committed. Raises StorageUnavailable
    when the answer would have to be guessed.
    """
    new = _keep_refused(connection, received) if received.webhook is None else _keep(connection, received)
    found = new or known(connection, received)
    if found is None:
        raise StorageUnavailable("the webhook was kept and forgotten in the same moment")
    return found


def _keep_refused(connection: Connection, received: ReceivedWebhook) -> Receipt | None:
    row, key = received.row, _bytes_key(received)
    kept = store.insert(connection, row, Effects(key=key, content_hash=key), window=_FOR_EVER)
    return Receipt(row.uuid, None, "refused") if kept else None


def _bytes_key(received: ReceivedWebhook) -> bytes:
    """SHA-256 of source and bytes."""
    return hashlib.sha256(f"webhook {received.source}\0".encode() + received.row.received).digest()


def _keep(connection: Connection, received: ReceivedWebhook) -> Receipt | None:
    """Where nothing is queued, the statement that keeps the message has it processed at once."""
    row = received.row
    event = new_event(connection, received, Kept(row.received, row.message_type or "", row.created_by))
    if not events.insert(connection, [event]):
        return None
    return Receipt(row.uuid, event.id, "ignored" if event.canonical_code is None else "accepted")


def new_event(connection: Connection, received: ReceivedWebhook, kept: Kept | None) -> NewEvent:
    """The event of a webhook that fits, with what its code means now; `kept` where its message is new."""
    row, webhook = received.row, received.webhook
    if webhook is None:
        raise ValueError("a webhook that does not fit has no event")
    meanings = mappings.load(connection, [received.source])
    return NewEvent(
        id=row.uuid,
        source_system=received.source,
        event_code=webhook.event,
        default_code=received.default_code,
        canonical_code=meanings.meaning(received.source, webhook.event, received.default_code),
        encounter_id=webhook.visit_id,
        patient_identifier=webhook.patient_code,
        payload=received.payload,
        occurred_at=webhook.occurred_at,
        received_at=row.at,
        sender=f"webhook {received.source}",
        correlation_id=row.correlation_id,
        identity=received.identity,
        message_uuid=row.uuid,
        kept=kept,
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
