"""Removes deliveries that are at their end, with their attempts. Nothing here commits.

Of a series the oldest goes first: as long as an older one is there that a person could have sent again, what
came after it has to be known.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.db.removed import Removed
from dhos_connector_api.deliveries.states import DeliveryState

#: The states that may go; the older of a series, which was superseded, before the one that took its place.
ENDED = (DeliveryState.SUPERSEDED, DeliveryState.CANCELLED, DeliveryState.DELIVERED)
_PAGE = text(
    "SELECT uuid FROM delivery WHERE state = :state AND state <> 'waiting'"
    " AND uuid > :after AND uuid < :first ORDER BY uuid LIMIT :limit"
)
_REMOVE = text("""
WITH chosen AS (
    SELECT uuid FROM delivery AS one
    WHERE uuid = ANY(CAST(:uuids AS uuid[])) AND state = :state AND settled_at < :before
        AND NOT EXISTS (
            SELECT FROM delivery AS older WHERE older.destination = one.destination
                AND older.series = one.series AND older.position < one.position)
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM delivery USING chosen WHERE delivery.uuid = chosen.uuid
    RETURNING delivery.uuid, delivery.created
), attempts AS (
    DELETE FROM delivery_attempt USING gone WHERE delivery_uuid = gone.uuid
)
SELECT count(*), min(created), max(created) FROM gone
""")


def page(
    connection: Connection, state: DeliveryState, *, before: datetime, after: UUID, limit: int
) -> Sequence[UUID]:
    """Return the next `limit` deliveries in that state that were queued before that time."""
    values = {"state": state.value, "after": after, "first": clock.first_uuid(before), "limit": limit}
    return connection.execute(_PAGE, values).scalars().all()


def remove(
    connection: Connection, state: DeliveryState, uuids: Sequence[UUID], *, before: datetime
) -> Removed:
    """Remove those of these that are in that state still, came to it before that time, and may go."""
    values = {"uuids": list(uuids), "state": state.value, "before": before}
    return Removed(*connection.execute(_REMOVE, values).one())


def kept_of(connection: Connection, messages: Collection[UUID]) -> set[UUID]:
    """Return those of these messages that have a delivery."""
    query = "SELECT message_uuid FROM delivery WHERE message_uuid = ANY(CAST(:uuids AS uuid[]))"
    return set(connection.execute(text(query), {"uuids": list(messages)}).scalars())


_OPEN = "state IN ('waiting', 'sending', 'dead')"


def open_of(connection: Connection, messages: Collection[UUID]) -> set[UUID]:
    """Return those of these messages with a delivery that waits, is under way, or needs a person."""
    query = f"SELECT message_uuid FROM delivery WHERE message_uuid = ANY(CAST(:uuids AS uuid[])) AND {_OPEN}"  # noqa: S608
    return set(connection.execute(text(query), {"uuids": list(messages)}).scalars())


def is_any_open(connection: Connection, first: UUID, last: UUID) -> bool:
    """Return whether a message from `first` up to `last` has such a delivery."""
    query = (
        f"SELECT EXISTS (SELECT FROM delivery WHERE {_OPEN}"  # noqa: S608  constants only
        " AND message_uuid >= :first AND message_uuid < :last)"
    )
    return bool(connection.execute(text(query), {"first": first, "last": last}).scalar_one())
