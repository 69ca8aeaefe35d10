"""Finding deliveries: newest first, page by page, with every attempt. Nothing here writes.

A page ends at `limit`, or where it has as many bytes as a page may have: a control id may be long.

What is shown of a delivery has facts of its `message` in it (control id, type, MSA-1): they are joined
here, for a page of them would cost the messages room a second search by the uuids of this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api import clock
from dhos_connector_api.db.within_bytes import PAGE_BYTES, first_within
from dhos_connector_api.deliveries.rules.schedule import FAILING_AFTER
from dhos_connector_api.deliveries.states import DeliveryState

#: The texts a search by state takes.
STATES = tuple(each.value for each in DeliveryState)

_COLUMNS = """
d.uuid, d.message_uuid, d.destination, d.state, d.created, d.due_at, d.leased_until, d.attempts,
d.ambiguous, d.settled_at, d.superseded_by, d.last_error, d.correlation_id,
m.message_control_id, m.message_type, m.ack_status
"""
_FROM = "FROM delivery d LEFT JOIN message m ON m.uuid = d.message_uuid"

# The uuid is a version 7 UUID: its order is the order of creation, and a time is a bound for it.
_PAGE = f"""
SELECT {_COLUMNS},
    coalesce(octet_length(m.message_control_id), 0) + coalesce(octet_length(m.message_type), 0) AS size
{_FROM} WHERE d.uuid < :before AND d.uuid >= :since
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries: every field that is not None narrows them down. Times are aware."""

    state: str | None = None
    destination: str | None = None
    message_uuid: UUID | None = None
    created_before: datetime | None = None
    created_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Deliveries, newest first; `more`: there are others behind the last one."""

    rows: Sequence[RowMapping]
    more: bool

    @property
    def next_before(self) -> UUID | None:
        """Return the cursor to the next page, None at the end."""
        return self.rows[-1]["uuid"] if self.more else None


@dataclass(frozen=True, slots=True)
class Depth:
    """How one destination is doing. `oldest` is when what waits longest was queued.

    `failing_since` is None unless it has failed several times in a row.
    """

    destination: str
    waiting: int
    dead: int
    oldest: datetime | None
    failing_since: datetime | None


def page(connection: Connection, wanted: Wanted, *, limit: int, before: UUID | None) -> Page:
    """Return the deliveries that are wanted, from the cursor `before` on."""
    newest = clock.first_uuid(wanted.created_before) if wanted.created_before else UUID(int=(1 << 128) - 1)
    values: dict[str, Any] = {
        "destination": wanted.destination,
        "message_uuid": wanted.message_uuid,
        "before": min(before, newest) if before else newest,
        "since": clock.first_uuid(wanted.created_since) if wanted.created_since else UUID(int=0),
        "limit": limit,
        "most_bytes": PAGE_BYTES,
        "least": 1,
    }
    query = text(first_within(_page(wanted), order="uuid DESC"))
    rows = connection.execute(query, values).mappings().all()
    return Page(rows, bool(rows) and rows[0]["candidates"] > len(rows))


def _page(wanted: Wanted) -> str:
    """Return the query for what is wanted, with nothing in it that is not.

    The state stands in it as a constant: an index of one state serves no query whose state is a value.
    """
    state = "" if wanted.state is None else f" AND d.state = '{DeliveryState(wanted.state).value}'"
    destination = "" if wanted.destination is None else " AND d.destination = :destination"
    message = "" if wanted.message_uuid is None else " AND d.message_uuid = :message_uuid"
    return f"{_PAGE}{state}{destination}{message} ORDER BY d.uuid DESC LIMIT :limit + 1"


def get(connection: Connection, uuid: UUID) -> RowMapping | None:
    """Return one delivery with the facts of its message, or None."""
    query = f"SELECT {_COLUMNS} {_FROM} WHERE d.uuid = :uuid"
    return connection.execute(text(query), {"uuid": uuid}).mappings().one_or_none()


def attempts(connection: Connection, uuid: UUID) -> Sequence[RowMapping]:
    """Return every attempt at a delivery, in order. One without an outcome is under way."""
    query = (
        "SELECT number, started_at, outcome, seconds, http_status, ack_code, error, detail"
        " FROM delivery_attempt WHERE delivery_uuid = :uuid ORDER BY number"
    )
    return connection.execute(text(query), {"uuid": uuid}).mappings().all()


def of_message(connection: Connection, message_uuid: UUID) -> Sequence[RowMapping]:
    """Return the deliveries of one message, in the order in which they were queued."""
    query = f"SELECT {_COLUMNS} {_FROM} WHERE d.message_uuid = :uuid ORDER BY d.position"
    return connection.execute(text(query), {"uuid": message_uuid}).mappings().all()


def depths(connection: Connection) -> list[Depth]:
    """Return how each destination is doing: what is not settled, and what needs a person."""
    found = connection.execute(
        text(
            "SELECT name, coalesce(sum(part.waiting), 0)::bigint, coalesce(sum(part.dead), 0)::bigint,"
            " min(part.oldest), max(failing_since) FILTER (WHERE failures >= :failing) FROM ("
            " SELECT destination AS name, count(*) AS waiting, 0 AS dead, min(created) AS oldest"
            " FROM delivery WHERE state = 'waiting' GROUP BY destination"
            " UNION ALL SELECT destination, count(*), 0, min(created)"
            " FROM delivery WHERE state = 'sending' GROUP BY destination"
            " UNION ALL SELECT destination, 0, count(*), NULL"
            " FROM delivery WHERE state = 'dead' GROUP BY destination"
            " UNION ALL SELECT name, 0, 0, NULL FROM delivery_destination) AS part"
            " LEFT JOIN delivery_destination USING (name) GROUP BY name ORDER BY name"
        ),
        {"failing": FAILING_AFTER},
    )
    return [Depth(*row) for row in found]
