"""The record of what each consumer has applied.

Nothing here commits: a record stands or falls with its effect.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

_RECORD = text(
    "INSERT INTO inbox (consumer, message_id, received_at) VALUES (:consumer, :message_id, :at)"
    " ON CONFLICT DO NOTHING"
)


def record(connection: Connection, consumer: str, message_id: UUID, at: datetime) -> bool:
    """Record that this consumer applies the envelope, in the transaction of the effect.

    Returns False when it has applied it before: then there is nothing to do. Where another session
    has recorded it and not committed, waits for the end of that one.
    """
    values = {"consumer": consumer, "message_id": message_id, "at": at}
    return connection.execute(_RECORD, values).rowcount == 1


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
