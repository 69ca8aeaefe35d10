"""The states of messages that go out: their state follows that of their delivery.

The deliveries room calls these in the transaction that changes the delivery, after it has that row's
lock: whoever changes one message holds its delivery already. Nothing here commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.messages.states import MessageState

_SETTLE = text(
    "UPDATE message SET state = :state, ack_status = :ack_status, error_text = :error, modified = :at,"
    " is_processed = :delivered, processed_at = CASE WHEN :delivered THEN CAST(:at AS timestamptz) END"
    " WHERE uuid = :uuid"
)
_KEEP_ACK = text("UPDATE message_body SET ack = :ack WHERE message_uuid = :uuid AND created = :created")


def settle(
    connection: Connection,
    uuid: UUID,
    *,
    created: datetime,
    state: MessageState,
    ack: bytes | None,
    ack_status: str | None,
    error: str | None,
    at: datetime,
) -> None:
    """Store how the delivery of a message ended: DELIVERED, which is processed too, or DEAD.

    `created` is the message's own; `ack` the acknowledgement as received (None leaves what is stored),
    `ack_status` its MSA-1, `error` why it is dead.
    """
    values = {
        "uuid": uuid,
        "state": state.value,
        "ack_status": ack_status,
        "error": error,
        "at": at,
        "delivered": state is MessageState.DELIVERED,
    }
    connection.execute(_SETTLE, values)
    if ack is not None:
        connection.execute(_KEEP_ACK, {"ack": ack, "uuid": uuid, "created": created})


def mark_superseded(connection: Connection, uuids: Sequence[UUID], *, at: datetime) -> None:
    """Store that newer messages of their series are sent instead of these."""
    _change(connection, uuids, MessageState.SUPERSEDED, "", at)


def mark_dead(connection: Connection, uuids: Sequence[UUID], *, error: str, at: datetime) -> None:
    """Store that these are not tried again, and why."""
    _change(connection, uuids, MessageState.DEAD, ", error_text = :error", at, error=error)


def mark_cancelled(connection: Connection, uuids: Sequence[UUID], *, by: str | None, at: datetime) -> None:
    """Store that a person gave these up."""
    _change(connection, uuids, MessageState.CANCELLED, ", modified_by = :by", at, by=by)


def mark_queued(connection: Connection, uuids: Sequence[UUID], *, by: str | None, at: datetime) -> None:
    """Store that a person has these sent again; what the last answer said is forgotten."""
    more = ", modified_by = :by, error_text = NULL, ack_status = NULL"
    _change(connection, uuids, MessageState.QUEUED, more, at, by=by)


def _change(
    connection: Connection, uuids: Sequence[UUID], state: MessageState, more: str, at: datetime, **values: Any
) -> None:
    """Store the state of all of these in one statement; without any, the server is not asked."""
    if not uuids:
        return
    query = (
        f"UPDATE message SET state = :state, modified = :at{more}"  # noqa: S608  constants only
        " WHERE uuid = ANY(CAST(:uuids AS uuid[]))"
    )
    connection.execute(text(query), {"uuids": list(uuids), "state": state.value, "at": at, **values})
