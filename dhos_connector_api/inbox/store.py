"""The record of what each consumer has applied.

Nothing here commits: a record stands or falls with its effect.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

_RECORD = text(
    "INSERT INTO inbox (consumer, message_id, received_at) VALUES (:consumer, :message_id, :at)"
    " ON CONFLICT DO NOTHING"
)
# In the order of their ids: of two that record the same envelopes one waits, and neither deadlocks.
_RECORD_ALL = text(
    "INSERT INTO inbox (consumer, message_id, received_at)"
    " SELECT :consumer, id, :at FROM unnest(CAST(:ids AS uuid[])) AS id ORDER BY id"
    " ON CONFLICT DO NOTHING RETURNING message_id"
)


def record(connection: Connection, consumer: str, message_id: UUID, at: datetime) -> bool:
    """Record that this consumer applies the envelope, in the transaction of the effect.

    Returns False when it has applied it before: then there is nothing to do. Where another session
    has recorded it and not committed, waits for the end of that one.
    """
    values = {"consumer": consumer, "message_id": message_id, "at": at}
    return connection.execute(_RECORD, values).rowcount == 1


def record_all(connection: Connection, consumer: str, ids: Sequence[UUID], at: datetime) -> set[UUID]:
    """Record that this consumer applies these envelopes; return those that it has not applied before."""
    values = {"consumer": consumer, "ids": list(ids), "at": at}
    return set(connection.execute(_RECORD_ALL, values).scalars())


def prune(connection: Connection, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` envelopes recorded before that time, oldest first; return how many."""
    return connection.execute(
        text(
            "DELETE FROM inbox WHERE (consumer, message_id) IN ("
            "SELECT consumer, message_id FROM inbox WHERE received_at < :before"
            " ORDER BY received_at LIMIT :limit)"
        ),
        {"before": before, "limit": limit},
    ).rowcount


def counts(connection: Connection) -> list[dict[str, Any]]:
    """Return how many envelopes each consumer has applied that are not forgotten yet, and when."""
    query = (
        "SELECT consumer, count(*) AS applied, min(received_at) AS oldest, max(received_at) AS newest"
        " FROM inbox GROUP BY consumer ORDER BY consumer"
    )
    return [dict(row) for row in connection.execute(text(query)).mappings()]
