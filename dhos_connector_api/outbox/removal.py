"""Which messages have envelopes, for whoever removes old messages. Nothing here commits."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, text


def kept_of(connection: Connection, messages: Collection[UUID]) -> set[UUID]:
    """Return those of these messages that have an envelope, published or not."""
    query = "SELECT message_uuid FROM outbox WHERE message_uuid = ANY(CAST(:uuids AS uuid[]))"
    return set(connection.execute(text(query), {"uuids": list(messages)}).scalars())


def unpublished_of(connection: Connection, messages: Collection[UUID]) -> set[UUID]:
    """Return those of these messages with an envelope that waits or is dead."""
    query = (
        "SELECT message_uuid FROM outbox WHERE message_uuid = ANY(CAST(:uuids AS uuid[]))"
        " AND published_at IS NULL"
    )
    return set(connection.execute(text(query), {"uuids": list(messages)}).scalars())


def is_any_unpublished(connection: Connection, first: UUID, last: UUID) -> bool:
    """Return whether a message from `first` up to `last` has such an envelope."""
    query = (
        "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL"
        " AND message_uuid >= :first AND message_uuid < :last)"
    )
    return bool(connection.execute(text(query), {"first": first, "last": last}).scalar_one())
