"""Replay one stored HIS payload: take now what could not be taken of it when it came."""

import hashlib
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.errors import Conflict
from dhos_connector_api.intake.judge_his import ReceivedPayload
from dhos_connector_api.intake.receive_his import add_events
from dhos_connector_api.messages import store


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
        _accept(connection, received, received_at, by)
    add_events(connection, received)
    return state != "accepted"


def _accept(connection: Connection, received: ReceivedPayload, received_at: datetime, by: str) -> None:
    row, window = received.row, received.intake.duplicate_window
    key = received.effects.key or _own_key(row.uuid)
    accepted = store.accept(
        connection,
        row.uuid,
        replace(received.effects, key=key, content_hash=key),
        at=row.at,
        received_at=received_at,
        by=by,
        correlation_id=row.correlation_id,
        window=window,
    )
    if not accepted:
        raise Conflict("the same payload was accepted as another message by now")


def _own_key(uuid: UUID) -> bytes:
    """A key no bytes have: while a patient of a payload is refused, the payload does not hold its bytes."""
    return hashlib.sha256(b"replayed\0" + uuid.bytes).digest()
