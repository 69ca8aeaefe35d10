"""Lists of users: a page in two statements, and the roles of all on it in one, however many they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from dhos_connector_api.db import listing
from dhos_connector_api.db.listing import Part
from dhos_connector_api.px.people.models import UserRoleRow, UserRow
from dhos_connector_api.px.people.store import SHOWN
from dhos_connector_api.px.people.words import prefixes

_NAME = func.lower(UserRow.username)
#: By what a list can be sorted: keys, and whether the other way round. Each order is that of an index, and of
#: no two rows the same.
ORDERS: dict[str, tuple[ColumnElement[Any], bool]] = {
    "username": (_NAME, False),
    "-username": (_NAME, True),
    "created_at": (UserRow.id.expression, False),
    "-created_at": (UserRow.id.expression, True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list of users is narrowed down by; None: not by that."""

    is_active: bool | None = None
    hospital_id: UUID | None = None
    department_id: UUID | None = None
    role_id: UUID | None = None
    search: str | None = None

    def condition(self) -> ColumnElement[bool]:
        """Return the condition on the user's own columns."""
        found: list[ColumnElement[bool]] = [true()]
        if self.is_active is not None:
            found.append(UserRow.is_active.is_(self.is_active))
        if self.hospital_id is not None:
            found.append(UserRow.hospital_id == self.hospital_id)
        if self.department_id is not None:
            found.append(UserRow.department_id == self.department_id)
        return and_(*found)

    def found(self, *, one_by_one: bool = False) -> ColumnElement[bool] | None:
        """Return the condition of role and search, which nobody knows the yield of; None: there is none.

        `one_by_one`: it looks at a user's own roles, and not first at all who have the role.
        """
        found: list[ColumnElement[bool]] = []
        if self.role_id is not None:
            held = (UserRoleRow.user_id == UserRow.id, UserRoleRow.role_id == self.role_id)
            each = select(true()).where(*held).correlate(UserRow).scalar_subquery()
            found.append(each if one_by_one else exists().where(*held))
        if self.search is not None:
            found.append(_matches(self.search.strip()))
        return and_(*found) if found else None


def _matches(text: str) -> ColumnElement[bool]:
    """The condition of a search: an address as a whole, or words that begin so."""
    if "@" in text:
        return func.lower(UserRow.email) == func.lower(literal(text))
    query = prefixes(text)
    if not query:
        return literal(False)
    return func.array_to_tsvector(UserRow.words).bool_op("@@")(cast(bindparam(None, query), TSQUERY))


def count(connection: Connection, within: ColumnElement[bool], filters: Filters) -> int:
    """Return how many users there are `within` that condition, up to `listing.MOST_COUNTED`."""
    found = filters.found()
    conditions = (within, filters.condition(), true() if found is None else found)
    return listing.counted(connection, select(UserRow.id).where(*conditions))


def page(
    connection: Connection,
    within: ColumnElement[bool],
    filters: Filters,
    *,
    ordering: str,
    limit: int,
    offset: int,
    count: int | None = None,
) -> Sequence[RowMapping]:
    """Return the users of one page as they are shown. `count` is what `count` says, where it is known."""
    key, descending = ORDERS[ordering]
    where, part = and_(within, filters.condition()), Part(offset, limit, count, descending)
    found = filters.found(one_by_one=part.is_of_many and offset < listing.MOST_COUNTED)
    ids = listing.ids_of_page(UserRow.id.expression, [key], part, where=where, found=found).subquery()
    query = select(*SHOWN).join(ids, ids.c.id == UserRow.id).order_by(key.desc() if descending else key.asc())
    return connection.execute(query).mappings().all()
