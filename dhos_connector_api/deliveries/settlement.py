"""Settling an attempt: on the delivery, then on the attempt and on the message. Nothing here commits.

The delivery comes first wherever these three are written: nobody waits in a circle.
"""

from datetime import datetime

from sqlalchemy import Connection, text

from dhos_connector_api.deliveries.rules.outcome import Accepted, DeliveryFailed, Kind
from dhos_connector_api.deliveries.states import DeliveryState
from dhos_connector_api.deliveries.store import Claim
from dhos_connector_api.messages import outgoing
from dhos_connector_api.messages.states import MessageState


def settle_delivered(
    connection: Connection, claimed: Claim, accepted: Accepted, *, now: datetime, seconds: float
) -> None:
    """Store that it was taken, on the delivery, the attempt and the message.

    Holds too when the lease has run out meanwhile, whatever was decided since, unless another attempt
    is under way already.
    """
    settled = _delivered(connection, claimed, now)
    _end_attempt(connection, claimed, accepted, seconds=seconds)
    if settled:
        _settle_message(connection, claimed, accepted, now=now)


def settle_failed(
    connection: Connection,
    claimed: Claim,
    failed: DeliveryFailed,
    *,
    again: datetime | None,
    now: datetime,
    seconds: float,
) -> None:
    """Store that it failed, and when it is due `again`; None: it is dead.

    Changes nothing but the attempt when the lease has run out meanwhile. Where an earlier attempt turned
    out to have been taken while this one was under way, the delivery is delivered, whatever this one says.
    """
    taken = _taken_before(connection, claimed)
    if taken is not None:
        settled = _delivered(connection, claimed, now)
    else:
        settled = _not_delivered(connection, claimed, failed, again=again, now=now)
    _end_attempt(connection, claimed, failed, seconds=seconds)
    if settled and (taken is not None or again is None):
        _settle_message(connection, claimed, taken or failed, now=now)


def _delivered(connection: Connection, claimed: Claim, now: datetime) -> bool:
    """Settle the delivery as delivered, and return whether it still could be."""
    settled = connection.execute(
        text(
            "UPDATE delivery SET state = 'delivered', settled_at = :now, lease = NULL, leased_until = NULL,"
            " last_error = NULL, superseded_by = NULL"
            " WHERE uuid = :uuid AND (lease = :lease OR state <> 'sending')"
        ),
        {"uuid": claimed.uuid, "lease": claimed.lease, "now": now},
    )
    return bool(settled.rowcount)


def _not_delivered(
    connection: Connection, claimed: Claim, failed: DeliveryFailed, *, again: datetime | None, now: datetime
) -> bool:
    """Put the delivery back until `again`, or mark it dead; return whether it was still this process's."""
    settled = connection.execute(
        text(
            "UPDATE delivery SET state = :state, due_at = coalesce(:again, due_at), settled_at = :settled_at,"
            " lease = NULL, leased_until = NULL, last_error = :error, failures = failures + 1,"
            " ambiguous = ambiguous + :ambiguous WHERE uuid = :uuid AND lease = :lease"
        ),
        {
            "uuid": claimed.uuid,
            "lease": claimed.lease,
            "state": (DeliveryState.WAITING if again else DeliveryState.DEAD).value,
            "again": again,
            "settled_at": None if again else now,
            "error": failed.text,
            "ambiguous": int(failed.kind is Kind.AMBIGUOUS),
        },
    )
    return bool(settled.rowcount)


def _taken_before(connection: Connection, claimed: Claim) -> Accepted | None:
    """Return the answer of an earlier attempt that was taken, or None."""
    found = connection.execute(
        text(
            "SELECT http_status, ack_code FROM delivery_attempt"
            " WHERE delivery_uuid = :uuid AND outcome = 'delivered' LIMIT 1"
        ),
        {"uuid": claimed.uuid},
    ).one_or_none()
    return None if found is None else Accepted(*found)


def _end_attempt(
    connection: Connection, claimed: Claim, answer: Accepted | DeliveryFailed, *, seconds: float
) -> None:
    """Store how the attempt ended."""
    failed = answer if isinstance(answer, DeliveryFailed) else None
    connection.execute(
        text(
            "UPDATE delivery_attempt SET outcome = :outcome, seconds = :seconds, http_status = :http_status,"
            " ack_code = :ack_code, error = :error, detail = :detail"
            " WHERE delivery_uuid = :uuid AND number = :number"
        ),
        {
            "uuid": claimed.uuid,
            "number": claimed.number,
            "outcome": answer.outcome.value,
            "seconds": seconds,
            "http_status": answer.http_status,
            "ack_code": answer.ack_code,
            "error": failed.text if failed else None,
            "detail": failed.detail if failed else None,
        },
    )


def _settle_message(
    connection: Connection, claimed: Claim, answer: Accepted | DeliveryFailed, *, now: datetime
) -> None:
    """Store on the message what became of its delivery: delivered, or dead."""
    failed = answer if isinstance(answer, DeliveryFailed) else None
    outgoing.settle(
        connection,
        claimed.message_uuid,
        created=claimed.message_created,
        state=MessageState.DEAD if failed else MessageState.DELIVERED,
        ack=answer.ack,
        ack_status=answer.ack_code,
        error=(failed.detail or failed.text) if failed else None,
        at=now,
    )
