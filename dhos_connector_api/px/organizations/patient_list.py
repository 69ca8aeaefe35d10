"""Lists of patients: what is asked for, and the rows of one page. Never commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Uuid, cast, func, null, select, true

from dhos_connector_api.px.organizations.models import HospitalRow, PatientRow

#: What a list counts, as the list of events does.
MOST_COUNTED = 10_000
ORDERS = ("created_at", "last_name", "date_of_birth")
#: What `merged_from` is of a patient who was not found by another's identifier.
NOBODY = cast(null(), Uuid).label("merged_from")

_P = PatientRow.__table__
_HOSPITAL = HospitalRow.__table__
#: Columns that are for the database alone.
_INNER = frozenset({"search", "facts_at"})


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of one page, and how many there are in all: up to MOST_COUNTED (see above for a search)."""

    rows: Sequence[Mapping[Any, Any]]
    count: int


@dataclass(frozen=True, slots=True)
class List:
    """Which patients are seen and asked for but for the search, and the part of them in order."""

    where: ColumnElement[bool]
    column: str
    descending: bool
    offset: int
    limit: int

    def order(self, rows: Any = _P) -> list[Any]:
        """Return the order of the list by these rows, that of an index: nulls are the greatest."""
        columns = (rows.c[self.column], rows.c.id)
        return [each.desc() if self.descending else each.asc() for each in columns]


def conditions(filters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions that the filters make, the search apart, and that he was not merged."""
    columns = {
        "primary_hospital": _P.c.hospital_id,
        "gender": _P.c.gender,
        "status": _P.c.status,
        "city": func.lower(_P.c.city),
    }
    made: list[ColumnElement[bool]] = [_P.c.merged_into.is_(None)]
    for name, column in columns.items():
        value = filters.get(name)
        if value is not None:
            made.append(column == (func.lower(value) if name == "city" else value))
    return made


def listed(connection: Connection, wanted: List) -> Found:
    """Return the page of all of the list, counted up to MOST_COUNTED."""
    first = select(_P.c.id).where(wanted.where).limit(MOST_COUNTED).subquery()
    count = connection.execute(select(func.count()).select_from(first)).scalar_one()
    page = select(_P.c.id, NOBODY).where(wanted.where).order_by(*wanted.order())
    part = page.offset(wanted.offset).limit(wanted.limit).subquery()
    return Found(connection.execute(_read(part).order_by(*wanted.order())).mappings().all(), count)


def among(connection: Connection, wanted: List, each: Any, of: Any = None) -> tuple[Found, int]:
    """Return the page of these patients and their number, and how many rows `of` has, in one statement."""
    found = connection.execute(page_of(wanted, each, of)).mappings().all()
    rows = [row for row in found if row["id"] is not None]
    return Found(rows, found[0]["count"]), found[0]["of"]


def page_of(wanted: List, each: Any, of: Any = None) -> Select[Any]:
    """Return the query of `among`. Where nobody is on the page, one row of nulls has the numbers."""
    part = select(each).order_by(*wanted.order(each)).offset(wanted.offset).limit(wanted.limit)
    rows = _read(part.subquery()).subquery()
    sizes = {"count": each, "of": each if of is None else of}
    counts = [
        select(func.count()).select_from(it).scalar_subquery().label(name) for name, it in sizes.items()
    ]
    counted = select(*counts).subquery()
    return select(counted, rows).select_from(counted.outerjoin(rows, true())).order_by(*wanted.order(rows))


def _read(page: Any) -> Select[Any]:
    joined = _P.join(page, page.c.id == _P.c.id).outerjoin(_HOSPITAL, _HOSPITAL.c.id == _P.c.hospital_id)
    columns: list[Any] = [each for each in _P.c if each.name not in _INNER]
    return select(*columns, _HOSPITAL.c.name.label("hospital_name"), page.c.merged_from).select_from(joined)
