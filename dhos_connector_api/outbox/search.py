"""Searching the outbox, for people and metrics: how much waits, which rows, what became of a message's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.outbox.statements import BY_KEY, OLDEST

_SHOWN = (
    "id, position, message_uuid, sender, routing_key, correlation_id, created, published_at, attempts,"
    " dead_at, last_error, octet_length(body) AS size"
)
_DEAD = f"""
SELECT {_SHOWN} FROM outbox WHERE dead_at IS NOT NULL AND position > :after ORDER BY position LIMIT :limit
"""  # noqa: S608  constants only
# A page of each routing key: no more is read, however much waits.
_WAITING = f"""{OLDEST}
SELECT page.* FROM oldest, LATERAL (
    SELECT {_SHOWN} FROM outbox
    WHERE {BY_KEY} AND routing_key = oldest.routing_key AND position > :after
    ORDER BY position LIMIT :limit) AS page
ORDER BY page.position LIMIT :limit
"""  # noqa: S608  constants only


@dataclass(frozen=True, slots=True)
class Depth:
    """The number of unpublished envelopes under one routing key; `oldest` is None when nothing waits."""

    routing_key: str
    waiting: int
    dead: int
    oldest: datetime | None


def depth_and_age(connection: Connection) -> list[Depth]:
    """Return how much is not published, by routing key, and since when the oldest of it waits."""
    found = connection.execute(
        text(
            "SELECT routing_key, sum(waiting)::bigint, sum(dead)::bigint, min(oldest) FROM ("
            "SELECT routing_key, count(*) AS waiting, 0 AS dead, min(created) AS oldest FROM outbox"
            " WHERE published_at IS NULL AND dead_at IS NULL GROUP BY routing_key"
            " UNION ALL SELECT routing_key, 0, count(*), NULL FROM outbox"
            " WHERE dead_at IS NOT NULL GROUP BY routing_key) AS part GROUP BY routing_key ORDER BY 1"
        )
    )
    return [Depth(*each) for each in found]


def unpublished(connection: Connection, *, dead: bool, limit: int, after: int = 0) -> Sequence[RowMapping]:
    """Return waiting rows, or dead ones, oldest first, without their bodies.

    `after` is the `position` of the last row of the page before.
    """
    query = _DEAD if dead else _WAITING
    return connection.execute(text(query), {"after": after, "limit": limit}).mappings().all()


def of_message(connection: Connection, message_uuid: UUID) -> Sequence[RowMapping]:
    """Return the envelopes of one message, whatever became of them, without their bodies."""
    query = f"SELECT {_SHOWN} FROM outbox WHERE message_uuid = :uuid ORDER BY position"  # noqa: S608
    return connection.execute(text(query), {"uuid": message_uuid}).mappings().all()
