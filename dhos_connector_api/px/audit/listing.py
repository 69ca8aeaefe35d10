"""The audit trail as it is read: its entries by who, what and when, in pages, or one after the other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, true, tuple_

from dhos_connector_api.px.audit.models import AuditEventRow
from dhos_connector_api.px.audit.written import COLUMNS

#: More entries than this are not counted, and not paged to.
MOST_COUNTED = 10_000
#: Entries of one part of an export, and those that `every` has in memory at once.
PART, AT_ONCE = 20_000, 2_000

#: Row of the trail.
Row = Mapping[Any, Any]
_TABLE = AuditEventRow.__table__


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries are wanted; what is None does not count. `since` is of them, `until` is not."""

    actor: UUID | None = None
    action: str | None = None
    object_type: str | None = None
    object_id: UUID | None = None
    hospital: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> ColumnElement[bool]:
        """Return the condition on the table."""
        named = {"actor_id": self.actor, "action": self.action, "object_type": self.object_type}
        named |= {"object_id": self.object_id, "hospital_id": self.hospital}
        found = [_TABLE.c[name] == value for name, value in named.items() if value is not None]
        if self.since is not None:
            found.append(_TABLE.c.at >= self.since)
        if self.until is not None:
            found.append(_TABLE.c.at < self.until)
        return and_(true(), *found)


def count(connection: Connection, filters: Filters, seen: ColumnElement[bool]) -> int:
    """Return how many entries are wanted and seen, up to MOST_COUNTED."""
    found = select(_TABLE.c.id).where(filters.condition(), seen).limit(MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(found)).scalar_one())


def page(
    connection: Connection,
    filters: Filters,
    seen: ColumnElement[bool],
    *,
    newest_first: bool,
    offset: int,
    limit: int,
) -> Sequence[Row]:
    """Return the entries of one page, of the first MOST_COUNTED."""
    by = (_TABLE.c.at, _TABLE.c.id)
    query = _read(filters, seen).order_by(*(each.desc() if newest_first else each.asc() for each in by))
    limit = max(min(limit, MOST_COUNTED - offset), 0)
    return connection.execute(query.offset(offset).limit(limit)).mappings().all()


def after(
    connection: Connection,
    filters: Filters,
    seen: ColumnElement[bool],
    last: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Row]:
    """Return the next entries, oldest first, after the one of that time and id (None: the first)."""
    condition = true() if last is None else tuple_(_TABLE.c.at, _TABLE.c.id) > tuple_(*last)
    # the time alone too: it is what tells partitions that are not needed
    later = true() if last is None else _TABLE.c.at >= last[0]
    query = _read(filters, seen).where(condition, later).order_by(_TABLE.c.at, _TABLE.c.id).limit(limit)
    return connection.execute(query).mappings().all()


def every(connection: Connection, filters: Filters, seen: ColumnElement[bool]) -> Iterator[Row]:
    """Return all entries, oldest first, a few in memory at a time."""
    last = None
    while rows := after(connection, filters, seen, last, AT_ONCE):
        yield from rows
        last = (rows[-1]["at"], rows[-1]["id"])


def _read(filters: Filters, seen: ColumnElement[bool]) -> Select[Any]:
    return select(*(_TABLE.c[name] for name in COLUMNS)).where(filters.condition(), seen)
