"""Lists by numbered pages: how far they are counted, and which rows a page has, at a bounded price.

    count = listing.counted(connection, select(table.c.id).where(where, found))
    ids = listing.ids_of_page(table.c.id, [table.c.id], Part(0, 50, count), where=where, found=found)

What is found by words or roles may be nothing or nearly everything, and PostgreSQL has to guess which before
it chooses between an index of words and the index of the order. Here it is counted first, and not guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

#: Counting a million rows would take a second at every page; nobody pages that far.
MOST_COUNTED = 10_000
#: Keeps PostgreSQL from planning the inner query as a part of the outer one.
_FENCE: ColumnElement[int] = literal_column("0")


@dataclass(frozen=True, slots=True)
class Part:
    """Which rows of a list are wanted, `of` how many in all, up to MOST_COUNTED (None: unknown)."""

    offset: int
    limit: int
    of: int | None = None
    descending: bool = False

    @property
    def is_of_many(self) -> bool:
        """Return whether it is known that the list has MOST_COUNTED rows or more."""
        return self.of is not None and self.of >= MOST_COUNTED

    def from_the_nearer_end(self) -> "Part":
        """Return the same rows counted from the end of the list, where that is known and nearer."""
        if self.of is None or self.is_of_many or not self.of // 2 < self.offset < self.of:
            return self
        behind = max(self.of - self.offset - self.limit, 0)
        return Part(behind, self.of - self.offset - behind, self.of, not self.descending)


def counted(connection: Connection, rows: Select[Any]) -> int:
    """Return how many rows a query has, up to MOST_COUNTED."""
    some = rows.limit(literal_column(str(MOST_COUNTED))).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def ids_of_page(
    id_: ColumnElement[Any],
    keys: Sequence[ColumnElement[Any]],
    part: Part,
    *,
    where: ColumnElement[bool],
    found: ColumnElement[bool] | None = None,
) -> Select[Any]:
    """Return the query for the ids of the rows of a page, sorted by `keys`; its answer is in no order.

    `where` are conditions on columns; `found` is one whose yield PostgreSQL cannot know. Few rows are
    looked for first and sorted then; of many, the order is gone along until the page is full.
    """
    part = part.from_the_nearer_end()
    if found is None:
        rows = select(id_.label("id")).where(where).order_by(*_sorted(keys, part))
    elif part.is_of_many:
        along = select(id_.label("id"), found.label("fits")).where(where)
        fenced = along.order_by(*_sorted(keys, part)).offset(_FENCE).subquery()
        rows = select(fenced.c.id).where(fenced.c.fits)
    else:
        named = [key.label(f"key{number}") for number, key in enumerate(keys)]
        few = select(id_.label("id"), *named).where(where, found).offset(_FENCE).subquery()
        rows = select(few.c.id).order_by(*_sorted(list(few.c)[1:], part))
    return rows.offset(part.offset).limit(part.limit)


def _sorted(keys: Sequence[ColumnElement[Any]], part: Part) -> list[ColumnElement[Any]]:
    return [key.desc() if part.descending else key.asc() for key in keys]
