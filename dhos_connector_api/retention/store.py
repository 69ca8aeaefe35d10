"""The record of what retention has removed.

Nothing here commits: a record stands or falls with the removal.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.db.removed import Removed

_ADD = text("""
INSERT INTO retention_record AS kept (name, day, removed, oldest, newest)
VALUES (:name, CAST(:at AS timestamptz) AT TIME ZONE 'UTC', :removed, :oldest, :newest)
ON CONFLICT (name, day) DO UPDATE
    SET removed = kept.removed + excluded.removed,
        oldest = least(kept.oldest, excluded.oldest), newest = greatest(kept.newest, excluded.newest)
""")
_FINISH = text("""
INSERT INTO retention_record (name, day, finished_at)
VALUES (:name, CAST(:at AS timestamptz) AT TIME ZONE 'UTC', :at)
ON CONFLICT (name, day) DO UPDATE SET finished_at = excluded.finished_at
""")


def add(connection: Connection, name: str, removed: Removed, *, at: datetime) -> None:
    """Record what was removed from the table of that name."""
    values = {"name": name, "at": at, "removed": removed.rows}
    connection.execute(_ADD, values | {"oldest": removed.oldest, "newest": removed.newest})


def finish(connection: Connection, name: str, *, at: datetime) -> None:
    """Record that a pass through the table of that name has come to its end."""
    connection.execute(_FINISH, {"name": name, "at": at})


def totals(connection: Connection) -> Sequence[RowMapping]:
    """Return for each table how many rows were ever removed, and when a pass last came to its end."""
    query = (
        "SELECT name, sum(removed)::bigint AS removed, min(oldest) AS oldest, max(newest) AS newest,"
        " max(finished_at) AS finished_at FROM retention_record GROUP BY name ORDER BY name"
    )
    return connection.execute(text(query)).mappings().all()
