"""The partitions of message_body: one for each month (UTC), made before the month begins."""

from datetime import UTC, datetime

from sqlalchemy import Connection, text


def months(now: datetime, ahead: int) -> list[datetime]:
    """Return the first instants (UTC) of this month and of as many after it."""
    now = now.astimezone(UTC)
    counted = [now.year * 12 + now.month - 1 + offset for offset in range(ahead + 1)]
    return [datetime(each // 12, each % 12 + 1, 1, tzinfo=UTC) for each in counted]


def partition_name(first: datetime) -> str:
    """Return the name of the partition of message_body for the month that begins then."""
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
