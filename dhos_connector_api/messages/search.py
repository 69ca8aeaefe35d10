"""Finding messages: newest first, page by page, in the same time at a million rows.

A message's uuid is a version 7 UUID, so its order is the order of arrival and the last uuid of a
page is the cursor to the next. Every query walks one index from its end and stops at `limit`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from dhos_connector_api.messages.models import INDEXED_LENGTH
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.views import MESSAGE_COLUMNS, MESSAGE_JOINS

#: The texts a search by state takes.
STATES = tuple(each.value for each in MessageState)
#: After the newest possible uuid: where the first page starts.
NEWEST = UUID(int=(1 << 128) - 1)
#: More aliases than this one patient does not have; it bounds what a hostile merge chain can cost.
MOST_ALIASES = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, newest first; `next_before` is the cursor to the next page, None at the end."""

    rows: Sequence[RowMapping]
    next_before: UUID | None


_BY_CONTROL_ID = f"""
SELECT {MESSAGE_COLUMNS}
FROM message m {MESSAGE_JOINS}
WHERE left(m.message_control_id, {INDEXED_LENGTH}) = left(:control_id, {INDEXED_LENGTH})
    AND m.message_control_id = :control_id AND m.uuid < :before
ORDER BY m.uuid DESC LIMIT :limit
"""  # noqa: S608

# `alias` is the identifier itself and every one merged into it, directly or over several merges;
# UNION drops what was seen before, so merges in a circle end.
_BY_IDENTIFIER = f"""
WITH RECURSIVE alias (value) AS (
    SELECT CAST(:identifier AS text)
    UNION
    SELECT merge.old FROM identifier_merge merge, alias
    WHERE merge.identifier_type = :identifier_type AND merge.surviving = alias.value
), known AS (
    SELECT value FROM alias LIMIT {MOST_ALIASES}
), found AS (
    SELECT hit.message_uuid, max(known.value) FILTER (WHERE known.value <> :identifier) AS merged_from,
        bool_or(known.value = :identifier) AS direct
    FROM known CROSS JOIN LATERAL (
        SELECT message_uuid FROM message_identifier
        WHERE identifier_type = :identifier_type AND value = known.value AND message_uuid < :before
        ORDER BY message_uuid DESC LIMIT :limit
    ) hit
    GROUP BY hit.message_uuid ORDER BY hit.message_uuid DESC LIMIT :limit
)
SELECT {MESSAGE_COLUMNS}, found.direct, found.merged_from
FROM found JOIN message m ON m.uuid = found.message_uuid {MESSAGE_JOINS}
ORDER BY m.uuid DESC
"""  # noqa: S608

_LATEST = f"""
SELECT {MESSAGE_COLUMNS}
FROM message m {MESSAGE_JOINS}
WHERE m.uuid < :before
    AND (CAST(:state AS text) IS NULL OR m.state = :state)
    AND (NOT :unprocessed OR (m.state = 'accepted' AND NOT m.is_processed))
ORDER BY m.uuid DESC LIMIT :limit
"""  # noqa: S608


def by_control_id(connection: Connection, control_id: str, *, limit: int, before: UUID | None) -> Page:
    """Return messages with that MSH-10, from any sender."""
    return _page(connection, _BY_CONTROL_ID, limit, before, {"control_id": control_id})


def by_identifier(
    connection: Connection, identifier_type: str, identifier: str, *, limit: int, before: UUID | None
) -> Page:
    """Return messages under that identifier, and under every identifier merged into it.

    Rows also have `direct` (found under the identifier itself) and `merged_from` (the older
    identifier it was found under, or None).
    """
    values = {"identifier_type": identifier_type, "identifier": identifier}
    return _page(connection, _BY_IDENTIFIER, limit, before, values)


def latest(
    connection: Connection,
    *,
    limit: int,
    before: UUID | None = None,
    state: str | None = None,
    unprocessed: bool = False,
) -> Page:
    """Return the newest messages, all of them, or only in one state, or only accepted and not processed."""
    values = {"state": state, "unprocessed": unprocessed}
    return _page(connection, _LATEST, limit, before, values)


def _page(
    connection: Connection, query: str, limit: int, before: UUID | None, values: dict[str, Any]
) -> Page:
    parameters = {**values, "limit": limit + 1, "before": before or NEWEST}
    rows = connection.execute(text(query), parameters).mappings().all()
    return Page(rows[:limit], rows[limit - 1]["uuid"] if len(rows) > limit else None)
