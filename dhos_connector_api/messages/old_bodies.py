"""Removes the bodies of messages: a month at once, or some rows of one. Nothing here commits.

Dropping a month takes a lock that stops every insert for a moment. It is waited for no longer than
LOCK_WAIT, since whatever comes in waits behind it; who does not get it tries again later.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from dhos_connector_api import clock
from dhos_connector_api.db.months import months
from dhos_connector_api.db.removed import Removed

LOCK_WAIT = "100ms"
#: A message's uuid and its `created` are of one clock; more than this they never differ.
_MARGIN = timedelta(days=1)
_DEFAULT = "message_body_default"
_LOCK_NOT_AVAILABLE = "55P03"
_PARTITIONS = text(
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'message_body'::regclass ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A partition of `message_body`: a month from `first` to `end`, or what is in none (both None)."""

    name: str
    first: datetime | None = None
    end: datetime | None = None

    @property
    def uuids(self) -> tuple[UUID, UUID]:
        """Return between which uuids its messages are, and a day's more on both sides."""
        first, end = self.first, self.end
        if first is None or end is None:
            return UUID(int=0), UUID(int=2**128 - 1)
        return clock.first_uuid(first - _MARGIN), clock.first_uuid(end + _MARGIN)


def parts(connection: Connection, *, before: datetime) -> list[Part]:
    """Return the months that are over by that time, the oldest first, then what is in no month."""
    found = [_part(name) for name in connection.execute(_PARTITIONS).scalars()]
    over = [each for each in found if each is not None and each.end is not None and each.end <= before]
    return [*over, Part(_DEFAULT)]


def _part(name: str) -> Part | None:
    """The month a partition of ours is for; None for any other."""
    named = re.fullmatch(r"message_body_(\d{4})_(0[1-9]|1[0-2])", name)
    if named is None:
        return None
    first = datetime(int(named[1]), int(named[2]), 1, tzinfo=UTC)
    return Part(name, first, months(first, 1)[1])


class InUse(Exception):
    """A lock could not be had in time; nothing was done."""


def drop(connection: Connection, part: Part, is_needed: Callable[[], bool]) -> Removed | None:
    """Drop that month unless it is needed; None: it is, and stays. Raises InUse.

    It is asked for once nobody else can come to need it: who reads a body of the month waits.
    """
    # counted first: nobody waits meanwhile
    counted = connection.execute(
        text(f"SELECT count(*), min(created), max(created) FROM {part.name}")  # noqa: S608  a name of ours
    ).one()
    try:
        with connection.begin_nested():
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
            connection.execute(text(f"LOCK TABLE {part.name} IN ACCESS EXCLUSIVE MODE"))
            if is_needed():
                raise _Needed
            connection.execute(text(f"DROP TABLE {part.name}"))
    except _Needed:
        return None
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise InUse from None
    return Removed(*counted)


class _Needed(Exception):
    """Lets go of the lock."""


def page(connection: Connection, part: Part, *, after: UUID, limit: int, before: datetime) -> Sequence[UUID]:
    """Return whose the next `limit` bodies of that part are, from before that time."""
    query = (
        f"SELECT message_uuid FROM {part.name} WHERE message_uuid > :after"  # noqa: S608  a name of ours
        " AND message_uuid < :first ORDER BY message_uuid LIMIT :limit"
    )
    values = {"after": after, "first": clock.first_uuid(before), "limit": limit}
    return connection.execute(text(query), values).scalars().all()


def remove(connection: Connection, part: Part, uuids: Sequence[UUID], *, before: datetime) -> Removed:
    """Remove the bodies of these messages from that part, where they are from before that time."""
    query = f"""
        WITH gone AS (
            DELETE FROM {part.name} WHERE message_uuid = ANY(CAST(:uuids AS uuid[])) AND created < :before
            RETURNING created
        )
        SELECT count(*), min(created), max(created) FROM gone
    """  # noqa: S608  a name of ours
    return Removed(*connection.execute(text(query), {"uuids": list(uuids), "before": before}).one())
