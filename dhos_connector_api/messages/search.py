"""Finding messages: newest first, page by page, in the same time at a million rows.

A message's uuid is a version 7 UUID, so its order is the order of arrival and the last uuid of a
page is the cursor to the next. Every query walks one index from its end and stops at `limit`, or where
what it shows has as many bytes as a page may have: the first message of a page is there whatever its size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, TextClause, text

from dhos_connector_api import clock
from dhos_connector_api.db.large_rows import carried
from dhos_connector_api.db.within_bytes import Bound, first_within
from dhos_connector_api.hl7v2.identifiers import sought
from dhos_connector_api.messages.models import INDEXED_LENGTH
from dhos_connector_api.messages.states import MessageState
from dhos_connector_api.messages.views import CONTENT, FACTS, MESSAGE_JOINS, Shown

#: The texts a search by state takes.
STATES = tuple(each.value for each in MessageState)
#: After the newest possible uuid: where the first page starts.
NEWEST = UUID(int=(1 << 128) - 1)
_PAGE = Bound()
#: More aliases than this one patient does not have; it bounds what a hostile merge chain can cost.
MOST_ALIASES = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, newest first; `more`: there are others behind the last one."""

    rows: Sequence[RowMapping]
    more: bool

    @property
    def bytes(self) -> int:
        """Return how many bytes these have, of what was to be shown of them."""
        return int(self.rows[-1]["bytes"]) if self.rows else 0

    @property
    def next_before(self) -> UUID | None:
        """Return the cursor to the next page, None at the end."""
        return self.rows[-1]["uuid"] if self.more else None


def _by_control_id(shown: Shown) -> str:
    return f"""
        SELECT {shown.columns}, {shown.size} AS size
        FROM message m {MESSAGE_JOINS}
        WHERE left(m.message_control_id, {INDEXED_LENGTH}) = left(:control_id, {INDEXED_LENGTH})
            AND m.message_control_id = :control_id AND m.uuid < :before
        ORDER BY m.uuid DESC LIMIT :limit + 1
    """  # noqa: S608


def _by_identifier(shown: Shown) -> str:
    return _under(shown, "SELECT CAST(:identifier AS text)", "(:identifier)")


def _by_either_spelling(shown: Shown) -> str:
    """As `_by_identifier`, also under the identifier as it was given: so earlier builds kept it."""
    asked = "SELECT CAST(:identifier AS text) UNION SELECT CAST(:as_given AS text)"
    return _under(shown, asked, "(:identifier, :as_given)")


# `alias` is the identifier itself and every one merged into it, directly or over several merges;
# UNION drops what was seen before, so merges in a circle end.
def _under(shown: Shown, asked: str, direct: str) -> str:
    return f"""
        WITH RECURSIVE alias (value) AS (
            {asked}
            UNION
            SELECT merge.old FROM identifier_merge merge, alias
            WHERE merge.identifier_type = :identifier_type AND merge.surviving = alias.value
        ), known AS (
            SELECT value FROM alias LIMIT {MOST_ALIASES}
        ), found AS (
            SELECT hit.message_uuid, bool_or(known.value IN {direct}) AS direct,
                max(known.value) FILTER (WHERE known.value NOT IN {direct}) AS merged_from
            FROM known CROSS JOIN LATERAL (
                SELECT message_uuid FROM message_identifier
                WHERE identifier_type = :identifier_type AND value = known.value AND message_uuid < :before
                ORDER BY message_uuid DESC LIMIT :limit + 1
            ) hit
            GROUP BY hit.message_uuid ORDER BY hit.message_uuid DESC LIMIT :limit + 1
        )
        SELECT {shown.columns}, {shown.size} AS size, found.direct, found.merged_from
        FROM found JOIN message m ON m.uuid = found.message_uuid {MESSAGE_JOINS}
    """  # noqa: S608


def _latest(shown: Shown) -> str:
    return f"""
        SELECT {shown.columns}, {shown.size} AS size
        FROM message m {MESSAGE_JOINS}
        WHERE m.uuid < :before
            AND (CAST(:state AS text) IS NULL OR m.state = :state)
            AND (NOT :unprocessed OR (m.state = 'accepted' AND NOT m.is_processed))
        ORDER BY m.uuid DESC LIMIT :limit + 1
    """  # noqa: S608


@cache
def _query(rows: Callable[[Shown], str], shown: Shown) -> TextClause:
    return text(first_within(rows(shown), order="uuid DESC"))


def by_control_id(
    connection: Connection,
    control_id: str,
    *,
    limit: int,
    before: UUID | None,
    shown: Shown = CONTENT,
    bound: Bound = _PAGE,
) -> Page:
    """Return messages with that MSH-10, from any sender."""
    return _page(connection, _query(_by_control_id, shown), limit, before, bound, control_id=control_id)


def by_identifier(
    connection: Connection,
    identifier_type: str,
    identifier: str,
    *,
    limit: int,
    before: UUID | None,
    shown: Shown = CONTENT,
    bound: Bound = _PAGE,
) -> Page:
    """Return messages under that identifier, however it is spelt, and under every one merged into it.

    Rows also have `direct` (found under the identifier itself) and `merged_from` (the older
    identifier it was found under, or None).
    """
    kept = sought(identifier_type, identifier)
    values = {"identifier_type": identifier_type, "identifier": kept}
    if kept == identifier:
        return _page(connection, _query(_by_identifier, shown), limit, before, bound, **values)
    values["as_given"] = identifier
    return _page(connection, _query(_by_either_spelling, shown), limit, before, bound, **values)


def latest(
    connection: Connection,
    *,
    limit: int,
    before: UUID | None = None,
    state: str | None = None,
    unprocessed: bool = False,
) -> Page:
    """Return facts of the newest messages, or of those in one state, or accepted and not processed."""
    query = _query(_latest, FACTS)
    return _page(connection, query, limit, before, _PAGE, state=state, unprocessed=unprocessed)


def in_state(
    connection: Connection, state: str, *, since: datetime | None, before: UUID | None, limit: int = 500
) -> Sequence[UUID]:
    """Return the uuids of the newest messages in that state that came at or after `since`, newest first."""
    values = {
        "state": state,
        "since": clock.first_uuid(since) if since else UUID(int=0),
        "before": before or NEWEST,
        "limit": limit,
    }
    query = "SELECT uuid FROM message WHERE state = :state AND uuid < :before AND uuid >= :since"
    return connection.execute(text(f"{query} ORDER BY uuid DESC LIMIT :limit"), values).scalars().all()


def _page(
    connection: Connection, query: TextClause, limit: int, before: UUID | None, bound: Bound, **values: Any
) -> Page:
    values |= {"limit": limit, "before": before or NEWEST}
    values |= {"most_bytes": bound.most_bytes, "least": bound.least}
    rows = connection.execute(query, values).mappings().all()
    page = Page(rows, bool(rows) and rows[0]["candidates"] > len(rows))
    carried(connection, page.bytes)
    return page
