"""One webhook whose signature is good: keep it, and queue its event if it is new.

The event's identity is its id, or its bytes where it has none; the insert decides what is new. A
webhook that is known is answered like the first one and does nothing. One that does not fit, or that says
something else under a known id, is kept once however often it comes, and refused.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from dhos_connector_api.actions.his import left_out
from dhos_connector_api.actions.his.births import without_bad_births
from dhos_connector_api.actions.his.webhooks import Webhook, known_code, read_webhook
from dhos_connector_api.actions.left_out import LeftOut
from dhos_connector_api.errors import BadInput, Conflict, ConnectorError, Details, NotRead
from dhos_connector_api.events import mappings
from dhos_connector_api.events import store as events
from dhos_connector_api.events.store import Kept, NewEvent
from dhos_connector_api.hl7v2.rules import DUPLICATE
from dhos_connector_api.intake.arrival import Arrival, Intake, Outcome, Read, Receipt
from dhos_connector_api.intake.json_rows import json_row, reason
from dhos_connector_api.intake.webhook_names import EVENT_ID, WebhookName, name_of
from dhos_connector_api.messages import store
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.store import Effects, NewMessage
from dhos_connector_api.spec.kept_body import CheckedBody, body_of, check_of

#: The type of a webhook's message, with its source.
MESSAGE_TYPE = "webhook {}"
#: How long the bytes of a webhook that is refused are known: for ever. Events have an identity instead.
_FOR_EVER = timedelta(days=36_500)
#: `keep` writes by one statement.
IN_TRANSACTION = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRead(Read):
    """A webhook, read.

    `webhook` and `name` are None where the body does not fit (`details`), or could not be read because of a
    fault of ours (`failed`). `default_code` is what the event means where no mapping says otherwise;
    `left_out` is what it does not tell.
    """

    row: NewMessage
    name: WebhookName | None = None
    webhook: Webhook | None = None
    default_code: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    details: Details = field(default_factory=dict)
    failed: bool = False
    left_out: Sequence[LeftOut] = ()

    @property
    def source(self) -> str:
        """his, lis or emr."""
        return self.row.src_description


def read(arrival: Arrival, intake: Intake) -> WebhookRead:
    """Return what the webhook says. Never raises, whatever its body is.

    It is named by its `event_id`, else by the `webhook-id` it was signed with, else by its bytes. What it
    says is its body as JSON, but for `event_id`: how it is written, and headers, are no part of it.
    """
    check = check_of(f"post_{arrival.door.source}_webhook")
    return body_of(arrival.raw, check, lambda body: _judged(body, arrival, intake))


def _judged(body: CheckedBody, arrival: Arrival, intake: Intake) -> WebhookRead:
    source, signed_id = str(arrival.door.source), arrival.door.signed_id
    row = json_row(arrival, body, source=source, message_type=MESSAGE_TYPE.format(source))
    row = replace(row, created_by=source, message_control_id=signed_id)
    found: Webhook | Details = {} if body.failed else body.details or read_webhook(body.value)
    if not isinstance(found, Webhook):
        if not body.failed:
            row = replace(row, error_text=reason(found))
        key = hashlib.sha256(f"webhook {source}\0".encode() + arrival.raw).digest()
        return WebhookRead(
            arrival=arrival,
            intake=intake,
            row=row,
            effects=Effects(key=key, content_hash=key),
            payload=body.value or {},
            details=found,
            failed=body.failed,
        )
    row = replace(row, state=MessageState.ACCEPTED, event_code=found.event, sent_at=found.occurred_at)
    name = name_of(source, found.event_id, signed_id, arrival.raw)
    key = name.key_of_other(arrival.raw)
    return WebhookRead(
        arrival=arrival,
        intake=intake,
        row=row,
        effects=Effects(key=key, content_hash=key, identifiers=found.identifiers),
        name=name,
        webhook=found,
        default_code=known_code(source, found.event),
        payload=body.value,
        left_out=[
            *left_out.of_identifier(found.patient_code, "patient_code"),
            *left_out.of_data(found.data or {}, "data", arrival.day),
        ],
    )


def keep(connection: Connection, read: WebhookRead) -> Receipt | None:
    """Store the webhook and its event; None where it is known, and nothing is stored.

    Where nothing is queued, the statement that keeps the message has it processed at once. Another webhook
    under a known id is stored once, refused, and never published.
    """
    row = read.row
    if read.webhook is None:
        if not store.insert(connection, row, read.effects, window=_FOR_EVER):
            return None
        return Receipt(row.uuid, Outcome.REFUSED, None, _error(read))
    kept = Kept(row.received, row.kind, row.message_type or "", row.created_by, row.door, read.left_out)
    event = add_event(connection, read, kept)
    if event is not None:
        outcome = Outcome.IGNORED if event.canonical_code is None else Outcome.ACCEPTED
        return Receipt(row.uuid, outcome, event.id)
    holder = _holder(connection, read)
    return None if holder is None or holder.is_same else _keep_conflict(connection, read, holder.message_uuid)


def add_event(connection: Connection, read: WebhookRead, kept: Kept | None) -> NewEvent | None:
    """Store the event of a webhook that fits, and return it; None where another holds its id."""
    event = new_event(connection, read, kept)
    for identity in read.name.identities if read.name else ():
        placed = replace(event, identity=identity)
        if events.insert(connection, [placed]):
            return placed
        if _holder(connection, read) is not None:
            return None
    return None


def _holder(connection: Connection, read: WebhookRead) -> Row[Any] | None:
    """The event that holds the webhook's id, of the same kind; else one that was emptied: it may be."""
    if read.name is None:
        return None
    by_event_id = read.name.kind == EVENT_ID
    found = [
        each
        for each in events.holders(connection, read.name.identities, read.payload, name=EVENT_ID)
        if each.is_emptied or bool((each.named or "").strip()) is by_event_id
    ]
    return min(found, key=lambda each: each.is_emptied, default=None)


def _keep_conflict(connection: Connection, read: WebhookRead, holder: UUID) -> Receipt | None:
    row = replace(
        read.row,
        state=MessageState.REFUSED,
        duplicate_of=holder,
        error_code=DUPLICATE.error,
        error_text=_contradicts(read),
    )
    if not store.insert(connection, row, read.effects, window=_FOR_EVER):
        return None
    return _conflict(read, row.uuid)


def _conflict(read: WebhookRead, uuid: UUID) -> Receipt:
    return Receipt(uuid, Outcome.CONFLICT, None, Conflict(f"{_contradicts(read)}; this one is kept"))


def _contradicts(read: WebhookRead) -> str:
    return f"another webhook of this source has the same {read.name.kind if read.name else 'id'}"


def known(connection: Connection, read: WebhookRead) -> Receipt | None:
    """Return what became of the webhook when it came before; None where it is new, as far as can be seen."""
    if read.webhook is None:
        before = _refused_before(connection, read)
        return None if before is None else Receipt(before, Outcome.REFUSED, None, _error(read))
    holder = _holder(connection, read)
    if holder is None:
        return None
    if holder.is_same:
        return Receipt(holder.message_uuid, Outcome.REPEATED, holder.id)
    before = _refused_before(connection, read)
    return None if before is None else _conflict(read, before)


def _refused_before(connection: Connection, read: WebhookRead) -> UUID | None:
    """The message as which these bytes were refused before, which is counted; None: they were not."""
    key = read.effects.key or b""
    holder = store.key_holder(connection, key, at=read.row.at, window=_FOR_EVER)
    if holder is None:
        return None
    store.count_repeat(connection, key, at=read.row.at)
    return holder.message_uuid


def _error(read: WebhookRead) -> ConnectorError:
    if read.failed:
        return NotRead(str(read.row.error_text))
    return BadInput("the webhook does not fit; it is kept", read.details)


def new_event(connection: Connection, read: WebhookRead, kept: Kept | None) -> NewEvent:
    """Return the event of a webhook that fits, with its meaning of now; `kept` where its message is new."""
    row, webhook = read.row, read.webhook
    if webhook is None:
        raise ValueError("a webhook that does not fit has no event")
    meanings = mappings.load(connection, [read.source])
    return NewEvent(
        id=row.uuid,
        source_system=read.source,
        event_code=webhook.event,
        default_code=read.default_code,
        canonical_code=meanings.meaning(read.source, webhook.event, read.default_code),
        encounter_id=webhook.visit_id,
        patient_identifier=webhook.patient_code,
        payload=read.payload,
        occurred_at=webhook.occurred_at,
        received_at=row.at,
        sender=f"webhook {read.source}",
        correlation_id=row.correlation_id,
        message_uuid=row.uuid,
        kept=kept,
        event_fields={"data": without_bad_births(webhook.data or {}, read.arrival.day)},
    )
