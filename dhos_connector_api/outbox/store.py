"""Selecting, settling and changing outbox rows. Nothing here commits; the caller owns the transaction.

The relay alone selects and settles waiting rows. The rest is for replay, people and housekeeping.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.actions.envelope import Envelope

#: (sender, routing key). Rows of one sender are published in the order of their position; while a
#: routing key is unroutable, its stream alone stays behind. An empty routing key: the whole sender.
Stream = tuple[str, str]


def whole_sender(stream: Stream) -> Stream:
    """Return what stands for all streams of that stream's sender."""
    return (stream[0], "")


_WAITING = "published_at IS NULL AND dead_at IS NULL"

# One index probe a stream (a loose index scan), then the first rows of each sender over all its
# streams that are not held back: the same number from each sender, so that one's backlog does not
# hold up the others. With more senders than rows to fetch, `after` lets the next look begin where
# this one ended.
_SELECT = text(f"""
WITH RECURSIVE stream AS (
    (SELECT sender, routing_key FROM outbox
    WHERE {_WAITING} AND (CAST(:sender AS text) IS NULL OR sender = :sender)
    ORDER BY sender, routing_key LIMIT 1)
    UNION ALL
    SELECT next.sender, next.routing_key
    FROM stream, LATERAL (
        SELECT sender, routing_key FROM outbox
        WHERE {_WAITING} AND (sender, routing_key) > (stream.sender, stream.routing_key)
            AND (CAST(:sender AS text) IS NULL OR sender = :sender)
        ORDER BY sender, routing_key LIMIT 1) AS next
), ranked AS (
    SELECT sender, routing_key, dense_rank() OVER (ORDER BY sender <= CAST(:after AS text), sender) AS rank
    FROM stream
    WHERE (sender, routing_key) NOT IN (
            SELECT * FROM unnest(CAST(:held_senders AS text[]), CAST(:held_keys AS text[])))
        AND sender <> ALL (CAST(:held_wholly AS text[]))
), free AS MATERIALIZED (
    SELECT sender, routing_key FROM ranked WHERE rank <= CAST(:rows AS int)
), share AS MATERIALIZED (
    SELECT greatest(1, CAST(:rows AS int) / greatest(1, count(DISTINCT sender)))::int AS rows FROM free
)
SELECT row.sender, row.routing_key, row.id, row.body, row.correlation_id, row.created
FROM (SELECT DISTINCT sender FROM free) AS one, LATERAL (
    SELECT free.sender, free.routing_key, waiting.*
    FROM free, LATERAL (
        SELECT id, body, correlation_id, created, position FROM outbox
        WHERE {_WAITING} AND sender = free.sender AND routing_key = free.routing_key
        ORDER BY position LIMIT (SELECT rows FROM share)) AS waiting
    WHERE free.sender = one.sender
    ORDER BY waiting.position LIMIT (SELECT rows FROM share)) AS row
ORDER BY row.position
""")  # noqa: S608  constants only

_FIRST = text(f"""
SELECT sender, routing_key, id, body, correlation_id, created FROM outbox
WHERE {_WAITING} AND sender = :sender AND routing_key = :routing_key
ORDER BY position LIMIT 1
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A row to publish. `created` is the time its message was committed, about."""

    stream: Stream
    envelope: Envelope
    created: datetime


def waiting(
    connection: Connection,
    *,
    rows: int,
    held: Collection[Stream] = (),
    after: str = "",
    sender: str | None = None,
) -> list[WaitingRow]:
    """Return up to `rows` waiting rows, as many of each sender, in their order; none of a stream in `held`.

    Senders that sort after `after` come first. With `sender`, only rows of that one.
    """
    streams = [stream for stream in held if stream[1]]
    found = connection.execute(
        _SELECT,
        {
            "rows": rows,
            "after": after,
            "sender": sender,
            "held_senders": [stream[0] for stream in streams],
            "held_keys": [stream[1] for stream in streams],
            "held_wholly": [stream[0] for stream in held if not stream[1]],
        },
    )
    return [_row(each) for each in found]


def first_waiting(connection: Connection, stream: Stream) -> WaitingRow | None:
    """Return the next row of that stream, or None."""
    found = connection.execute(_FIRST, {"sender": stream[0], "routing_key": stream[1]}).one_or_none()
    return None if found is None else _row(found)


def _row(columns: Sequence[Any]) -> WaitingRow:
    sender, routing_key, id_, body, correlation_id, created = columns
    return WaitingRow((sender, routing_key), Envelope(id_, routing_key, body, correlation_id), created)


# The holder of the lease alone settles, so the ids say enough. A condition that fits `outbox_waiting`
# would let PostgreSQL walk through the whole backlog instead of looking each id up.


def settle(connection: Connection, ids: Sequence[UUID], *, at: datetime) -> None:
    """Note that RabbitMQ confirmed these rows."""
    connection.execute(
        text(
            "UPDATE outbox SET published_at = :at, attempts = attempts + 1, last_error = NULL"
            " WHERE id = ANY(CAST(:ids AS uuid[]))"
        ),
        {"ids": ids, "at": at},
    )


def mark_dead(connection: Connection, ids: Sequence[UUID], *, at: datetime, error: str) -> None:
    """Note that these rows can never be published; `error` is a text of our own."""
    connection.execute(
        text(
            "UPDATE outbox SET dead_at = :at, attempts = attempts + 1, last_error = :error"
            " WHERE id = ANY(CAST(:ids AS uuid[]))"
        ),
        {"ids": ids, "at": at, "error": error},
    )


def count_attempt(connection: Connection, ids: Sequence[UUID], *, error: str) -> None:
    """Note that these rows were handed to RabbitMQ in vain; they go on waiting."""
    connection.execute(
        text(
            "UPDATE outbox SET attempts = attempts + 1, last_error = :error"
            " WHERE id = ANY(CAST(:ids AS uuid[]))"
        ),
        {"ids": ids, "error": error},
    )


def retry(connection: Connection, ids: Sequence[UUID] | None) -> int:
    """Make these dead rows (None: all of them) wait for the relay again; return how many there were."""
    return connection.execute(
        text(
            "UPDATE outbox SET dead_at = NULL WHERE dead_at IS NOT NULL"
            " AND (CAST(:ids AS uuid[]) IS NULL OR id = ANY(CAST(:ids AS uuid[])))"
        ),
        {"ids": ids},
    ).rowcount


def republish(connection: Connection, message_uuid: UUID) -> int:
    """Make the envelopes of that message wait again, under the same ids; return how many there are.

    Those that are waiting or dead count too.
    """
    return connection.execute(
        text(
            "UPDATE outbox SET published_at = NULL, dead_at = NULL, last_error = NULL"
            " WHERE message_uuid = :uuid"
        ),
        {"uuid": message_uuid},
    ).rowcount


def wait_again(connection: Connection, id_: UUID) -> bool:
    """Make one envelope wait again, published or dead as it may be; return False when it is not there."""
    changed = connection.execute(
        text("UPDATE outbox SET published_at = NULL, dead_at = NULL, last_error = NULL WHERE id = :id"),
        {"id": id_},
    )
    return bool(changed.rowcount)


def withdraw(connection: Connection, id_: UUID) -> bool:
    """Delete an envelope that was not published, waiting or dead; return False when there is none."""
    deleted = connection.execute(
        text("DELETE FROM outbox WHERE id = :id AND published_at IS NULL"), {"id": id_}
    )
    return bool(deleted.rowcount)


def add(connection: Connection, envelope: Envelope, *, message_uuid: UUID, sender: str, at: datetime) -> int:
    """Insert an envelope that waits for the relay; return 0 when one with its id is there, else 1."""
    return connection.execute(
        text(
            "INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)"
            " VALUES (:id, :message_uuid, :sender, :routing_key, :body, :correlation_id, :created)"
            " ON CONFLICT (id) DO NOTHING"
        ),
        {
            "id": envelope.id,
            "message_uuid": message_uuid,
            "sender": sender,
            "routing_key": envelope.routing_key,
            "body": envelope.body,
            "correlation_id": envelope.correlation_id,
            "created": at,
        },
    ).rowcount


def prune(connection: Connection, *, published_before: datetime, limit: int) -> int:
    """Delete up to `limit` rows published before that time, oldest first; return how many."""
    return connection.execute(
        text(
            "DELETE FROM outbox WHERE id = ANY(ARRAY(SELECT id FROM outbox"
            " WHERE published_at < :before ORDER BY published_at LIMIT :limit))"
            # Looked at again once the row is locked: a replay may have made it wait meanwhile.
            " AND published_at < :before"
        ),
        {"before": published_before, "limit": limit},
    ).rowcount
