"""Partitions by month of a table that has a default partition: made ahead, apart, and attached."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

log = logging.getLogger(__name__)

#: Partitions exist for this month and so many after it.
MONTHS_AHEAD = 2


def make_partitions(connection: Connection, table: str, now: datetime, then: Sequence[str] = ()) -> bool:
    """Make the first partition of `table` that is missing and can be made; False: there is none.

    One a transaction: what one locks is let go before the next, and a failure undoes no other. A month
    whose rows are in the default partition already stays there, and is served from there. `then`: see
    `create_partition`.
    """
    for first in months(now, MONTHS_AHEAD):
        name = {"partition": partition_name(table, first)}
        try:
            with connection.begin_nested():
                made = create_partition(connection, table, first, then)
        except IntegrityError:
            log.warning("a month stays in the default partition", extra=name)
            continue
        except DBAPIError:
            log.warning("could not make a partition yet", extra=name)
            raise
        if made:
            log.info("made a partition", extra=name)
            return True
    return False


def months(now: datetime, ahead: int) -> list[datetime]:
    """Return the first instants (UTC) of this month and of as many after it."""
    now = now.astimezone(UTC)
    counted = [now.year * 12 + now.month - 1 + offset for offset in range(ahead + 1)]
    return [datetime(each // 12, each % 12 + 1, 1, tzinfo=UTC) for each in counted]


def partition_name(table: str, first: datetime) -> str:
    """Return the partition of the table for the month that begins then."""
    return f"{table}_{first:%Y_%m}"


def create_partition(connection: Connection, table: str, first: datetime, then: Sequence[str] = ()) -> bool:
    """Make the partition for the month that begins at `first`; False when it is there already.

    Made apart and attached: that locks neither inserts into other months nor reads of them for
    longer than a moment, and waits for locks at most a second. `then` are statements that the new
    partition needs, with `{name}` for it. Raises IntegrityError when the default partition holds rows
    of that month.
    """
    name = partition_name(table, first)
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is not None:
        return False
    end = months(first, 1)[1]
    connection.execute(text("SET LOCAL lock_timeout = '1s'"))
    connection.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
    for each in then:
        connection.execute(text(each.format(name=name)))
    connection.execute(
        text(
            f"ALTER TABLE {table} ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{first.isoformat()}') TO ('{end.isoformat()}')"
        )
    )
    return True
