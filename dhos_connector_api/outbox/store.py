"""Settling and changing outbox rows. Nothing here commits; the caller owns the transaction.

The relay alone selects waiting rows (`statements.py`) and settles them. The rest is for replay, people and
housekeeping.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.actions.envelope import Envelope
from dhos_connector_api.outbox.models import SENDER_LENGTH

# The holder of the lease alone settles, so the ids say enough. A condition that fits `outbox_waiting`
# would let PostgreSQL walk through the whole backlog instead of looking each id up.
#
# Where settling comes late, because the database could not be written to, a replay may have made a row wait
# again, or another relay may have settled it: that has another writer (xmin) than the batch had. Every
# transaction named with a batch was over when the batch was selected, so none of them can be that writer.
_AS_SELECTED = (
    "id = ANY(CAST(:ids AS uuid[])) AND (CAST(:writers AS text[]) IS NULL"
    " OR xmin = ANY(CAST(CAST(:writers AS text[]) AS xid[])))"
)


_ADD_ALL = text("""
INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)
SELECT id, message_uuid, sender, routing_key, body, correlation_id, :at
FROM unnest(CAST(:ids AS uuid[]), CAST(:messages AS uuid[]), CAST(:senders AS text[]),
    CAST(:keys AS text[]), CAST(:bodies AS bytea[]), CAST(:correlations AS text[])) WITH ORDINALITY
    AS given (id, message_uuid, sender, routing_key, body, correlation_id, place)
ORDER BY place
ON CONFLICT (id) DO NOTHING
""")


def settle(
    connection: Connection, ids: Sequence[UUID], *, at: datetime, writers: Collection[str] | None = None
) -> None:
    """Note that RabbitMQ confirmed these rows; with `writers` those alone which these wrote last."""
    connection.execute(
        text(
            "UPDATE outbox SET published_at = :at, attempts = attempts + 1, last_error = NULL"  # noqa: S608
            f" WHERE {_AS_SELECTED}"
        ),
        {"ids": ids, "at": at, "writers": _listed(writers)},
    )


def mark_dead(
    connection: Connection,
    ids: Sequence[UUID],
    *,
    at: datetime,
    error: str,
    writers: Collection[str] | None = None,
) -> None:
    """Note that these rows can never be published; `error` is a text of our own. `writers`: see `settle`."""
    connection.execute(
        text(
            "UPDATE outbox SET dead_at = :at, attempts = attempts + 1, last_error = :error"  # noqa: S608
            f" WHERE {_AS_SELECTED}"
        ),
        {"ids": ids, "at": at, "error": error, "writers": _listed(writers)},
    )


def count_attempt(
    connection: Connection, ids: Sequence[UUID], *, error: str, writers: Collection[str] | None = None
) -> None:
    """Note that these rows were handed to RabbitMQ in vain; they go on waiting. `writers`: see `settle`."""
    connection.execute(
        text(
            "UPDATE outbox SET attempts = attempts + 1, last_error = :error"  # noqa: S608
            f" WHERE {_AS_SELECTED}"
        ),
        {"ids": ids, "error": error, "writers": _listed(writers)},
    )


def _listed(writers: Collection[str] | None) -> list[str] | None:
    return None if writers is None else list(writers)


def prove(connection: Connection, id_: UUID, *, writer: str) -> str | None:
    """Write that waiting row as it is, down to the disk; return its new writer, None: it was changed.

    It shows that this session can settle: what raises here would raise after publishing, too.
    """
    found = connection.execute(
        text(
            "UPDATE outbox SET attempts = attempts"
            " WHERE id = :id AND xmin = CAST(:writer AS xid) RETURNING CAST(xmin AS text)"
        ),
        {"id": id_, "writer": writer},
    )
    return found.scalar_one_or_none()


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


@dataclass(frozen=True, slots=True)
class Queued:
    """An envelope that is to wait for the relay, by which message, and in whose stream."""

    envelope: Envelope
    message_uuid: UUID
    sender: str


def add_all(connection: Connection, given: Sequence[Queued], at: datetime) -> None:
    """Insert envelopes that wait for the relay, in this order; those whose ids are there are left out."""
    if not given:
        return
    connection.execute(
        _ADD_ALL,
        {
            "at": at,
            "ids": [each.envelope.id for each in given],
            "messages": [each.message_uuid for each in given],
            "senders": [each.sender[:SENDER_LENGTH] for each in given],
            "keys": [each.envelope.routing_key for each in given],
            "bodies": [each.envelope.body for each in given],
            "correlations": [each.envelope.correlation_id for each in given],
        },
    )


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
