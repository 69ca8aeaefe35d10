"""Removes integration events that have had their time. Nothing here commits."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.db.removed import Removed

_PAGE = text("SELECT id FROM integration_event WHERE id > :after AND id < :first ORDER BY id LIMIT :limit")
# What is known of a stay is known by its events: while newer ones of it come, none of them goes, or its
# visits would be taken for new ones.
_LOCK = text("""
SELECT id, message_uuid FROM integration_event AS one
WHERE id = ANY(CAST(:ids AS uuid[])) AND received_at < :before
    AND NOT EXISTS (
        SELECT FROM integration_event AS newer
        WHERE lower(newer.encounter_id) = lower(one.encounter_id)
            AND newer.source_system = one.source_system AND newer.received_at >= :before)
ORDER BY id FOR UPDATE SKIP LOCKED
""")
_REMOVE = text("""
WITH gone AS (
    DELETE FROM integration_event WHERE id = ANY(CAST(:ids AS uuid[])) RETURNING received_at
)
SELECT count(*), min(received_at), max(received_at) FROM gone
""")


def page(connection: Connection, *, before: datetime, after: UUID, limit: int) -> Sequence[UUID]:
    """Return the next `limit` events from before that time, in the order in which they came."""
    values = {"after": after, "first": clock.first_uuid(before), "limit": limit}
    return connection.execute(_PAGE, values).scalars().all()


def lock_ended(connection: Connection, ids: Sequence[UUID], *, before: datetime) -> dict[UUID, UUID]:
    """Lock those of these whose stay is over; return the message of each. What others have locked stays."""
    rows = connection.execute(_LOCK, {"ids": list(ids), "before": before})
    return {row.id: row.message_uuid for row in rows}


def remove(connection: Connection, ids: Sequence[UUID]) -> Removed:
    """Remove these events."""
    return Removed(*connection.execute(_REMOVE, {"ids": list(ids)}).one())


def kept_of(connection: Connection, messages: Collection[UUID]) -> set[UUID]:
    """Return those of these messages that have an event."""
    query = "SELECT message_uuid FROM integration_event WHERE message_uuid = ANY(CAST(:uuids AS uuid[]))"
    return set(connection.execute(text(query), {"uuids": list(messages)}).scalars())
