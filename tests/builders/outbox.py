"""Builders of outbox rows and envelopes; every call gives fresh ids and a later time."""

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY, Envelope
from dhos_connector_api.outbox.rows import WaitingRow

_MOMENTS = itertools.count()
_START = datetime(2026, 1, 1, tzinfo=UTC)
_CROWD = 10_000


def moment() -> datetime:
    """A time later than any given before."""
    return _START + timedelta(milliseconds=next(_MOMENTS))


def an_envelope(
    body: bytes = b"{}", *, routing_key: str = LEGACY_ROUTING_KEY, correlation_id: str = "request-1"
) -> Envelope:
    return Envelope(id=uuid4(), routing_key=routing_key, body=body, correlation_id=correlation_id)


def a_row(sender: str = "EPR", routing_key: str = LEGACY_ROUTING_KEY) -> WaitingRow:
    envelope = an_envelope(routing_key=routing_key)
    return WaitingRow((sender, routing_key), envelope, moment(), (envelope.id, "1"))


def put(
    connection: Connection,
    count: int = 1,
    *,
    sender: str = "EPR",
    routing_key: str = LEGACY_ROUTING_KEY,
    message_uuid: UUID | None = None,
    correlation_id: str = "request-1",
    size: int = 20,
) -> list[UUID]:
    """Insert waiting rows of one stream; bodies begin with 1, 2, 3 ... in a JSON list. Their ids in order."""
    ids = [uuid4() for _ in range(count)]
    connection.execute(
        text(
            "INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)"
            " SELECT row.id, :message_uuid, :sender, :key,"
            " convert_to('[' || row.number || ', \"' || repeat('x', :size) || '\"]', 'UTF8'),"
            " :correlation_id, now()"
            " FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS row (id, number) ORDER BY number"
        ),
        {
            "ids": ids,
            "message_uuid": message_uuid or uuid4(),
            "sender": sender,
            "key": routing_key,
            "correlation_id": correlation_id,
            "size": size,
        },
    )
    return ids


def put_crowd(connection: Connection, senders: int, routing_key: str = EVENT_ROUTING_KEY) -> None:
    """Insert a waiting row of each of so many senders, as many at a time as take far less than a second."""
    for first in range(1, senders + 1, _CROWD):
        connection.execute(
            text(
                "INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)"
                " SELECT gen_random_uuid(), gen_random_uuid(), 'CROWD' || number, :key, '{}', 'request-1',"
                " now() FROM generate_series(CAST(:first AS integer), :last) AS number"
            ),
            {"first": first, "last": min(first + _CROWD - 1, senders), "key": routing_key},
        )
