"""The tables of hospitals, departments, physicians and employees. Never commits.

`seen` is the condition under which somebody sees a row (`people.scope`); what he does not see is not there.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    func,
    insert,
    select,
    true,
    update,
)

from dhos_connector_api.db import listing
from dhos_connector_api.db.listing import Part
from dhos_connector_api.errors import NotFound
from dhos_connector_api.px.organizations.models import DepartmentRow, HospitalRow
from dhos_connector_api.px.organizations.resources import DEPARTMENT, HOSPITAL, Resource, Status
from dhos_connector_api.px.organizations.search import matches, words_of

#: Row of a table with the names of what it refers to.
Row = Mapping[Any, Any]

_HOSPITAL = HospitalRow.__table__
_DEPARTMENT = DepartmentRow.__table__
_ABOVE = _DEPARTMENT.alias("above")
#: Columns that are for the database alone.
_INNER = frozenset({"search"})
#: Guards codes of hospitals, which are unique over all.
_CODES_LOCK = 7246013


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a list are wanted: values by column, words of the search, and in which order.

    `order` is one of the resource's orders; texts are compared without case, but for `status`.
    """

    order: str
    descending: bool = False
    equal: Mapping[str, Any] = field(default_factory=dict)
    search: str | None = None


def count(connection: Connection, resource: Resource, wanted: Wanted, seen: ColumnElement[bool]) -> int:
    """Return how many rows are wanted and seen, up to `listing.MOST_COUNTED`."""
    conditions = [
        each for each in (_filters(resource, wanted, seen), _found(resource, wanted)) if each is not None
    ]
    return listing.counted(connection, select(resource.table.c.id).where(*conditions))


def listed(
    connection: Connection,
    resource: Resource,
    wanted: Wanted,
    seen: ColumnElement[bool],
    *,
    offset: int,
    limit: int,
    of: int | None = None,
) -> Sequence[Row]:
    """Return the rows of one page. The rows before it are counted in an index, and only its own are read.

    `of` is what `count` says of them, where that is known.
    """
    table = resource.table
    keys = [table.c[name] for name in (*resource.orders[wanted.order], "id")]
    part = Part(offset, limit, of, wanted.descending)
    where, found = _filters(resource, wanted, seen), _found(resource, wanted)
    chosen = listing.ids_of_page(table.c.id, keys, part, where=where, found=found).subquery()
    order = [each.desc() if wanted.descending else each.asc() for each in keys]
    query = _read(resource, table.join(chosen, chosen.c.id == table.c.id)).order_by(*order)
    return connection.execute(query).mappings().all()


def get(connection: Connection, resource: Resource, id_: UUID, seen: ColumnElement[bool]) -> Row:
    """Return one row. Raises NotFound where it is not there, or not seen."""
    query = _read(resource).where(resource.table.c.id == id_, seen)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(resource.unknown)
    return row


def after(connection: Connection, resource: Resource, id_: UUID | None, limit: int) -> Sequence[Row]:
    """Return the next rows of all, in the order of their ids, after that one (None: the first)."""
    condition = true() if id_ is None else resource.table.c.id > id_
    query = _read(resource).where(condition).order_by(resource.table.c.id).limit(limit)
    return connection.execute(query).mappings().all()


def add(
    connection: Connection, resource: Resource, id_: UUID, values: Mapping[str, Any], *, at: datetime
) -> None:
    """Store a new row of these values by column."""
    words = words_of(*(values.get(name) for name in resource.search))
    made = {"id": id_, "created_at": at, "updated_at": at, "search": words}
    connection.execute(insert(resource.table).values(**values, **made))


def change(
    connection: Connection,
    resource: Resource,
    id_: UUID,
    values: Mapping[str, Any],
    *,
    version: int | None,
    at: datetime,
) -> bool:
    """Set all these values, by column, of a row; False where it is not in that version (None: any)."""
    table = resource.table
    condition = table.c.id == id_
    if version is not None:
        condition = and_(condition, table.c.version == version)
    words = words_of(*(values.get(name) for name in resource.search))
    made = {"updated_at": at, "version": table.c.version + 1, "search": words}
    statement = update(table).where(condition).values(**values, **made).returning(table.c.id)
    return connection.execute(statement).first() is not None


def deactivate(
    connection: Connection, resource: Resource, id_: UUID, *, version: int | None, at: datetime
) -> bool:
    """Make a row inactive; False where it is not in that version (None: any)."""
    table = resource.table
    statement = (
        update(table)
        .where(table.c.id == id_, true() if version is None else table.c.version == version)
        .values(status=Status.INACTIVE, updated_at=at, version=table.c.version + 1)
        .returning(table.c.id)
    )
    return connection.execute(statement).first() is not None


def lock_codes(connection: Connection) -> None:
    """Wait for whoever gives a hospital its code, and keep others from it until the transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(_CODES_LOCK)))


def lock_hospital(connection: Connection, hospital_id: UUID) -> Row | None:
    """Return a hospital, after whoever changes what belongs to it and before others; None: there is none."""
    query = select(_HOSPITAL.c.id, _HOSPITAL.c.status, _HOSPITAL.c.region)
    query = query.where(_HOSPITAL.c.id == hospital_id).with_for_update(key_share=True)
    return connection.execute(query).mappings().one_or_none()


def region_of(connection: Connection, hospital_id: UUID | None) -> str | None:
    """Return the region of a hospital; None where it has none, or there is no such hospital."""
    query = select(_HOSPITAL.c.region).where(_HOSPITAL.c.id == hospital_id)
    region: str | None = connection.execute(query).scalar_one_or_none()
    return region


def departments(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Row]:
    """Return the hospital and the status of those departments that there are."""
    columns = (_DEPARTMENT.c.id, _DEPARTMENT.c.hospital_id, _DEPARTMENT.c.status)
    rows = connection.execute(select(*columns).where(_DEPARTMENT.c.id.in_(ids))).mappings()
    return {row["id"]: row for row in rows}


def is_below(connection: Connection, department_id: UUID, other_id: UUID) -> bool:
    """Return whether a department is the other one, or somewhere below it."""
    above = select(_DEPARTMENT.c.id, _DEPARTMENT.c.parent_id).where(_DEPARTMENT.c.id == department_id)
    tree = above.cte(recursive=True)
    up = select(_DEPARTMENT.c.id, _DEPARTMENT.c.parent_id).where(_DEPARTMENT.c.id == tree.c.parent_id)
    tree = tree.union(up)
    return connection.execute(select(tree.c.id).where(tree.c.id == other_id)).first() is not None


def by_key(
    connection: Connection, resource: Resource, key: str, hospital_id: UUID | None = None
) -> Row | None:
    """Return the row with that key, of that hospital where it is of one; None: there is none.

    Codes of hospitals are compared in any case, as where sources name them (`feed_store`).
    """
    column = resource.table.c[resource.fields[resource.key]]
    if resource is HOSPITAL:
        condition = func.lower(column) == func.lower(key)
    else:
        condition = and_(column == key, resource.table.c.hospital_id == hospital_id)
    return connection.execute(_read(resource).where(condition)).mappings().one_or_none()


def wards_taken(
    connection: Connection, hospital_id: UUID, codes: Collection[str], but: UUID | None
) -> set[str]:
    """Return which of the ward codes another department of the hospital has."""
    query = select(_DEPARTMENT.c.ward_codes).where(
        _DEPARTMENT.c.hospital_id == hospital_id,
        _DEPARTMENT.c.ward_codes.op("&&")(list(codes)),
        _DEPARTMENT.c.id != but if but else true(),
    )
    return {each for taken in connection.execute(query).scalars() for each in taken if each in codes}


def _filters(resource: Resource, wanted: Wanted, seen: ColumnElement[bool]) -> ColumnElement[bool]:
    table = resource.table
    conditions = [seen]
    for name, value in wanted.equal.items():
        is_text = isinstance(value, str) and name != "status"
        conditions.append(
            func.lower(table.c[name]) == func.lower(value) if is_text else table.c[name] == value
        )
    return and_(*conditions)


def _found(resource: Resource, wanted: Wanted) -> ColumnElement[bool] | None:
    """Return the condition of the search; None: there is none."""
    return None if wanted.search is None else matches(resource.table.c.search, wanted.search)


def _read(resource: Resource, rows: FromClause | None = None) -> Select[Any]:
    """Return the query for whole rows, and what the things are called that they refer to."""
    table = resource.table
    columns: list[Any] = [each for each in table.c if each.name not in _INNER]
    joined: Any = table if rows is None else rows
    if resource is not HOSPITAL:
        columns += [_HOSPITAL.c.name.label("hospital_name"), _HOSPITAL.c.code.label("hospital_code")]
        joined = joined.join(_HOSPITAL, _HOSPITAL.c.id == table.c.hospital_id)
        above = table.c.parent_id if resource is DEPARTMENT else table.c.department_id
        called = "parent" if resource is DEPARTMENT else "department"
        columns += [_ABOVE.c.name.label(f"{called}_name"), _ABOVE.c.code.label(f"{called}_code")]
        joined = joined.outerjoin(_ABOVE, _ABOVE.c.id == above)
    return select(*columns).select_from(joined)
