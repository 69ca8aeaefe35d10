"""Replay one stored HIS payload or webhook: take now what could not be taken of it when it came."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.errors import Conflict
from dhos_connector_api.events import store as events
from dhos_connector_api.intake import receive_webhook
from dhos_connector_api.intake.judge_his import ReceivedPayload
from dhos_connector_api.intake.receive_his import add_events
from dhos_connector_api.intake.receive_webhook import ReceivedWebhook
from dhos_connector_api.messages import store
from dhos_connector_api.messages.store import Effects, NewMessage

_ACCEPTED = "the same was accepted as another message by now"


def take(
    connection: Connection, received: ReceivedPayload, *, state: str, received_at: datetime, by: str
) -> bool:
    """Queue the events of `received` (judged again, under its own uuid) that are not known yet.

    `connection` is a transaction's; `state` and `received_at` are those of the stored message. True
    when a message that was refused is accepted now: the sender is not told. Raises Conflict when the
    same bytes were accepted as another message meanwhile: then their events are known.
    """
    if not received.admissions:
        return False
    if state != "accepted":
        window = received.intake.duplicate_window
        _accept(connection, received.row, received.effects, window=window, received_at=received_at, by=by)
    _settle(connection, received.row, state, add_events(connection, received).queued, by)
    return state != "accepted"


def take_webhook(
    connection: Connection, received: ReceivedWebhook, *, state: str, received_at: datetime, by: str
) -> bool:
    """The same for a webhook. Raises Conflict when it was accepted as another message meanwhile."""
    webhook, row = received.webhook, received.row
    if webhook is None or state == "accepted":
        return False
    event = receive_webhook.new_event(connection, received, kept=None)
    if not events.insert(connection, [event]):
        raise Conflict(_ACCEPTED)
    effects = Effects(identifiers=webhook.identifiers)
    _accept(connection, row, effects, window=timedelta(0), received_at=received_at, by=by)
    _settle(connection, row, state, int(event.envelope_id is not None), by)
    return True


def _settle(connection: Connection, row: NewMessage, state: str, queued: int, by: str) -> None:
    """What has just been queued makes a message wait for its consumers (again); nothing, and it is done."""
    if queued:
        store.mark_unprocessed(connection, row.uuid, by=by, at=row.at)
    elif state != "accepted":
        store.mark_processed(connection, row.uuid, by=by, at=row.at)


def _accept(
    connection: Connection,
    row: NewMessage,
    effects: Effects,
    *,
    window: timedelta,
    received_at: datetime,
    by: str,
) -> None:
    key = effects.key or _own_key(row.uuid)
    accepted = store.accept(
        connection,
        row.uuid,
        replace(effects, key=key, content_hash=key),
        at=row.at,
        received_at=received_at,
        by=by,
        correlation_id=row.correlation_id,
        window=window,
    )
    if not accepted:
        raise Conflict(_ACCEPTED)


def _own_key(uuid: UUID) -> bytes:
    """A key no bytes have: while a patient of a payload is refused, the payload does not hold its bytes."""
    return hashlib.sha256(b"replayed\0" + uuid.bytes).digest()
