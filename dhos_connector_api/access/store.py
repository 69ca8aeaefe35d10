"""API keys at rest: finding, adding and ending them. Nothing here commits.

A key is looked up by its hash at every request and cached nowhere, so revoking works at once. Its
last use is noted once in NOTED_EVERY, not at every request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.auth.api_keys import MadeKey
from dhos_connector_api.db.removed import Removed
from dhos_connector_api.errors import Conflict, NotFound

NOTED_EVERY = timedelta(minutes=5)
#: Keys of one page.
MOST_LISTED = 10_000
_SHOWN = (
    "id, source_system, hint, created, created_by, expires_at, revoked_at, revoked_by, replaced_by,"
    " last_used_at"
)
_VALID = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(at)s)"
_FIND = f"SELECT id, source_system, last_used_at FROM api_key WHERE hash = %(hash)s AND {_VALID}"  # noqa: S608
_NOTE = """
UPDATE api_key SET last_used_at = %(at)s
WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at < %(before)s)
"""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that is valid now: its id, and the source that holds it."""

    id: UUID
    source: str


def find(connection: Connection, hash_: bytes, *, at: datetime) -> KnownKey | None:
    """Return the key with that hash, if it is valid at that time. Its use is noted now and then."""
    row = connection.exec_driver_sql(_FIND, {"hash": hash_, "at": at}).one_or_none()
    if row is None:
        return None
    before = at - NOTED_EVERY
    if row.last_used_at is None or row.last_used_at < before:
        connection.exec_driver_sql(_NOTE, {"id": row.id, "at": at, "before": before})
    return KnownKey(row.id, row.source_system)


def add(
    connection: Connection, id_: UUID, made: MadeKey, *, source: str, at: datetime, by: str | None
) -> RowMapping:
    """Store a new key's hash under `id_`; return the key as it is shown."""
    query = f"""
        INSERT INTO api_key (id, source_system, hash, hint, created, created_by)
        VALUES (:id, :source, :hash, :hint, :at, :by) RETURNING {_SHOWN}
    """  # noqa: S608
    values = {"id": id_, "source": source, "hash": made.hash, "hint": made.hint, "at": at, "by": by}
    return connection.execute(text(query), values).mappings().one()


def listed(
    connection: Connection,
    source: str | None = None,
    *,
    before: UUID | None = None,
    limit: int = MOST_LISTED,
) -> Sequence[RowMapping]:
    """Return up to `limit` keys, of all sources or of one, newest first, from the cursor `before` on."""
    query = f"""
        SELECT {_SHOWN} FROM api_key
        WHERE (CAST(:source AS text) IS NULL OR lower(source_system) = lower(:source))
            AND (CAST(:before AS uuid) IS NULL OR id < :before)
        ORDER BY id DESC LIMIT :limit
    """  # noqa: S608
    values = {"source": source, "before": before, "limit": limit}
    return connection.execute(text(query), values).mappings().all()


def revoke(connection: Connection, id_: UUID, *, at: datetime, by: str | None) -> RowMapping:
    """End a key now, and return it; what was ended stays as it is. Raises NotFound."""
    query = f"""
        UPDATE api_key SET revoked_by = CASE WHEN revoked_at IS NULL THEN :by ELSE revoked_by END,
            revoked_at = coalesce(revoked_at, :at)
        WHERE id = :id RETURNING {_SHOWN}
    """  # noqa: S608
    row = connection.execute(text(query), {"id": id_, "at": at, "by": by}).mappings().one_or_none()
    if row is None:
        raise NotFound("there is no API key with that id")
    return row


def rotate(
    connection: Connection,
    old: UUID,
    new: UUID,
    made: MadeKey,
    *,
    overlap: timedelta,
    at: datetime,
    by: str | None,
) -> RowMapping:
    """Store a new key of the holder of `old` under `new`, and return it; `old` ends after `overlap`.

    Raises NotFound, and Conflict for a key that is not valid any more or was rotated before.
    """
    found = connection.execute(
        text(
            "UPDATE api_key SET replaced_by = :new, expires_at = least(expires_at, :ends)"
            " WHERE id = :old AND replaced_by IS NULL AND revoked_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > :at) RETURNING source_system"
        ),
        {"old": old, "new": new, "ends": at + overlap, "at": at},
    ).scalar_one_or_none()
    if found is None:
        known = connection.execute(text("SELECT 1 FROM api_key WHERE id = :id"), {"id": old})
        if known.one_or_none() is None:
            raise NotFound("there is no API key with that id")
        raise Conflict("the API key has been revoked, has ended, or was rotated before")
    return add(connection, new, made, source=found, at=at, by=by)


def remove_ended(connection: Connection, *, before: datetime, limit: int) -> Removed:
    """Remove up to `limit` keys that were revoked, or ended, before that time."""
    query = """
        WITH gone AS (
            DELETE FROM api_key WHERE id IN (
                SELECT id FROM api_key WHERE least(revoked_at, expires_at) < :before ORDER BY id LIMIT :limit)
            RETURNING least(revoked_at, expires_at) AS ended_at
        )
        SELECT count(*), min(ended_at), max(ended_at) FROM gone
    """
    return Removed(*connection.execute(text(query), {"before": before, "limit": limit}).one())
