"""Removes messages that have had their time, with what is known of them alone. Nothing here commits.

`message_identifier` has no index by message, which every message that comes in would pay for: its entries are
swept afterwards, by a walk through the table. Until then searches pass them by, as they join the message.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.db.removed import Removed
from dhos_connector_api.messages.expected import Expected

#: Accepted and not processed, of those of which that is expected; or on its way out: somebody waits for it.
_EXPECTED = "(CAST(:expected AS text[]) IS NULL OR coalesce(event_code = ANY(:expected), false))"
_WAITS = f"(state = 'accepted' AND NOT is_processed AND {_EXPECTED} OR state IN ('queued', 'dead'))"
_PAGE = text("SELECT uuid FROM message WHERE uuid > :after AND uuid < :first ORDER BY uuid LIMIT :limit")
# A key that a replay claimed lately lives as long as any other, and its message with it.
_LOCK = text(f"""
SELECT uuid FROM message AS one
WHERE uuid = ANY(CAST(:uuids AS uuid[])) AND created < :before AND NOT {_WAITS}
    AND NOT EXISTS (
        SELECT FROM message_key AS held
        WHERE held.key = one.key AND held.message_uuid = one.uuid AND held.claimed_at >= :before)
ORDER BY uuid FOR UPDATE SKIP LOCKED
""")  # noqa: S608  constants only
_REMOVE = text("""
WITH gone AS (
    DELETE FROM message WHERE uuid = ANY(CAST(:uuids AS uuid[])) RETURNING uuid, created, key
), keys AS (
    DELETE FROM message_key USING gone WHERE message_key.key = gone.key AND message_uuid = gone.uuid
)
SELECT count(*), min(created), max(created) FROM gone
""")
_BODIES = text(
    "DELETE FROM message_body WHERE message_uuid = ANY(CAST(:uuids AS uuid[]))"
    " AND created BETWEEN :oldest AND :newest"
)


def page(connection: Connection, *, before: datetime, after: UUID, limit: int) -> Sequence[UUID]:
    """Return the next `limit` messages from before that time, in the order in which they came."""
    values = {"after": after, "first": clock.first_uuid(before), "limit": limit}
    return connection.execute(_PAGE, values).scalars().all()


def lock_done(
    connection: Connection, uuids: Sequence[UUID], *, before: datetime, expected: Expected
) -> list[UUID]:
    """Lock and return those of these for which nobody waits; what others have locked is passed by."""
    values = {"uuids": list(uuids), "before": before, "expected": _listed(expected)}
    return list(connection.execute(_LOCK, values).scalars())


def remove(connection: Connection, uuids: Sequence[UUID]) -> Removed:
    """Remove these messages with their keys, and what is left of their bodies."""
    removed = Removed(*connection.execute(_REMOVE, {"uuids": list(uuids)}).one())
    if removed.rows:
        values = {"uuids": list(uuids), "oldest": removed.oldest, "newest": removed.newest}
        connection.execute(_BODIES, values)
    return removed


def waiting(connection: Connection, uuids: Collection[UUID], expected: Expected) -> set[UUID]:
    """Return those of these messages for which somebody waits."""
    query = f"SELECT uuid FROM message WHERE uuid = ANY(CAST(:uuids AS uuid[])) AND {_WAITS}"  # noqa: S608
    values = {"uuids": list(uuids), "expected": _listed(expected)}
    return set(connection.execute(text(query), values).scalars())


def is_any_unprocessed(connection: Connection, first: UUID, last: UUID, expected: Expected) -> bool:
    """Return whether a message from `first` up to `last` waits to be processed."""
    query = (
        "SELECT EXISTS (SELECT FROM message WHERE state = 'accepted' AND NOT is_processed"  # noqa: S608
        f" AND {_EXPECTED} AND uuid >= :first AND uuid < :last)"
    )
    values = {"first": first, "last": last, "expected": _listed(expected)}
    return bool(connection.execute(text(query), values).scalar_one())


def _listed(expected: Expected) -> list[str] | None:
    return None if expected is None else sorted(expected)


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in the search index, in the order of its key."""

    identifier_type: str = ""
    value: str = ""
    message_uuid: UUID = UUID(int=0)


# Only what is older than any message that could still be being kept.
_SWEEP = text("""
WITH page AS (
    SELECT identifier_type, value, message_uuid FROM message_identifier
    WHERE (identifier_type, value, message_uuid) > (:identifier_type, :value, CAST(:message_uuid AS uuid))
    ORDER BY identifier_type, value, message_uuid LIMIT :limit
), swept AS (
    DELETE FROM message_identifier AS entry USING page
    WHERE (entry.identifier_type, entry.value, entry.message_uuid)
        = (page.identifier_type, page.value, page.message_uuid)
        AND page.message_uuid < :first
        AND NOT EXISTS (SELECT FROM message WHERE uuid = page.message_uuid)
    RETURNING 1
), ending AS (
    SELECT * FROM page ORDER BY identifier_type DESC, value DESC, message_uuid DESC LIMIT 1
)
SELECT (SELECT count(*) FROM swept), ending.* FROM ending
""")
# What a merge says is needed as long as anything is found through it.
_MERGES = text("""
DELETE FROM identifier_merge AS one
WHERE message_uuid < :first AND NOT EXISTS (SELECT FROM message WHERE uuid = one.message_uuid)
    AND NOT EXISTS (SELECT FROM message_identifier AS entry
        WHERE entry.identifier_type = one.identifier_type AND entry.value = one.old)
    AND NOT EXISTS (SELECT FROM identifier_merge AS older
        WHERE older.identifier_type = one.identifier_type AND older.surviving = one.old)
""")


def sweep_entries(
    connection: Connection, *, before: datetime, after: Entry, limit: int
) -> tuple[int, Entry | None]:
    """Look at the next `limit` entries, and remove those whose message is gone.

    Returns how many were removed, and the last that was looked at; None: there are no more.
    """
    place = {name: getattr(after, name) for name in Entry.__slots__}
    values = {**place, "first": clock.first_uuid(before), "limit": limit}
    found = connection.execute(_SWEEP, values).one_or_none()
    return (0, None) if found is None else (found[0], Entry(*found[1:]))


def sweep_merges(connection: Connection, *, before: datetime) -> int:
    """Remove merges whose message is gone and through which nothing is found any more; return how many."""
    return connection.execute(_MERGES, {"first": clock.first_uuid(before)}).rowcount
