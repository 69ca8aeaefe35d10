"""Periodic job of the message store: partitions of message_body for this month and the next ones."""

import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import Job

log = logging.getLogger(__name__)

#: Partitions of message_body exist for this month and so many after it.
MONTHS_AHEAD = 2
#: How often it is looked at whether one is missing.
EVERY = timedelta(hours=1)


def jobs(_settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""
    return (Job("make partitions", EVERY, make_partitions),)


def make_partitions(connection: Connection, now: datetime) -> bool:
    """Make the first partition that is missing and can be made; False: there is none.

    One a transaction: what one locks is let go before the next, and a failure undoes no other. A month
    whose messages are in the default partition already stays there, and is served from there.
    """
    for first in months(now, MONTHS_AHEAD):
        name = {"partition": partition_name(first)}
        try:
            with connection.begin_nested():
                made = create_partition(connection, first)
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


def partition_name(first: datetime) -> str:
    """Return the partition of message_body for the month that begins then."""
    return f"message_body_{first:%Y_%m}"


def create_partition(connection: Connection, first: datetime) -> bool:
    """Make the partition for the month that begins at `first`; False when it is there already.

    Made apart and attached: that locks neither inserts into other months nor reads of them for
    longer than a moment, and waits for locks at most a second. Raises IntegrityError when the
    default partition holds rows of that month.
    """
    name = partition_name(first)
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is not None:
        return False
    end = months(first, 1)[1]
    connection.execute(text("SET LOCAL lock_timeout = '1s'"))
    connection.execute(text(f"CREATE TABLE {name} (LIKE message_body INCLUDING ALL)"))
    connection.execute(
        text(
            f"ALTER TABLE message_body ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{first.isoformat()}') TO ('{end.isoformat()}')"
        )
    )
    return True
