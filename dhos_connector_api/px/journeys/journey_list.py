"""Lists of journeys: what is asked for, and the rows of one page. Never commits.

`seen` is the condition on HOSPITAL_ID and DEPARTMENT_ID under which somebody sees a journey (`people.scope`).
Whoever a page has, it takes the same statements: the count, the ids of its rows, the rows, their patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, func, select

from dhos_connector_api.db import listing
from dhos_connector_api.db.listing import Part
from dhos_connector_api.px.journeys.models import JourneyInstanceRow, JourneyTemplateRow
from dhos_connector_api.px.organizations import shown
from dhos_connector_api.px.organizations.tree import hospital_name

JOURNEY = JourneyInstanceRow.__table__
#: Columns of whose a journey is, for the scope.
HOSPITAL_ID, DEPARTMENT_ID = JOURNEY.c.hospital_id, JOURNEY.c.department_id
#: By what a list can be sorted, and the columns of each order.
ORDERS = {"started_at": ("started_at", "id"), "status": ("status", "started_at", "id")}
_ASKED = JOURNEY.alias("asked")
#: The filters of a list, and their columns.
_EQUAL = {
    "journey_template": JOURNEY.c.journey_template_id,
    "journey_template__journey_type": JOURNEY.c.journey_type,
    "hospital": HOSPITAL_ID,
    "status": JOURNEY.c.status,
}
_TEMPLATE_NAME = (
    select(JourneyTemplateRow.name)
    .where(JourneyTemplateRow.id == JOURNEY.c.journey_template_id)
    .correlate(JOURNEY)
    .scalar_subquery()
)
_SHOWN = (
    *JOURNEY.c,
    hospital_name(HOSPITAL_ID).label("hospital_name"),
    shown.department_name(DEPARTMENT_ID).label("department_name"),
    shown.physician_name(JOURNEY.c.physician_id).label("physician_name"),
    _TEMPLATE_NAME.label("journey_template_name"),
)
#: A journey as it is shown: its columns, names, and who its patient is.
Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which part of which journeys: `ordering` is one of ORDERS, with a minus the other way round.

    `filters` are by the names of `_EQUAL`, and `patient`; those that are None do not count.
    """

    seen: ColumnElement[bool]
    filters: Mapping[str, Any] = field(default_factory=dict)
    ordering: str = "-started_at"
    offset: int = 0
    limit: int = 50

    @property
    def descending(self) -> bool:
        """Return whether the greatest come first."""
        return self.ordering.startswith("-")

    def columns(self, rows: Any = JOURNEY) -> list[ColumnElement[Any]]:
        """Return the columns that these rows are sorted by. Raises KeyError for an order there is none of."""
        return [rows.c[name] for name in ORDERS[self.ordering.removeprefix("-")]]

    def order(self, rows: Any = JOURNEY) -> list[ColumnElement[Any]]:
        """Return the order of these rows."""
        return [each.desc() if self.descending else each.asc() for each in self.columns(rows)]

    def where(self, connection: Connection) -> ColumnElement[bool]:
        """Return the condition of what is seen and asked for, the search apart, and that it is not merged."""
        conditions = [self.seen, JOURNEY.c.merged_into.is_(None)]
        conditions += [
            column == self.filters[name]
            for name, column in _EQUAL.items()
            if self.filters.get(name) is not None
        ]
        if (patient := self.filters.get("patient")) is not None:
            conditions.append(JOURNEY.c.patient_id.in_(shown.same_patient(connection, patient)))
        return and_(*conditions)


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of one page, and how many there are in all, up to `listing.MOST_COUNTED`."""

    rows: Sequence[Row]
    count: int


def listed(connection: Connection, wanted: Wanted) -> Found:
    """Return the page; one row more where `count` does not say whether any follow."""
    where = wanted.where(connection)
    count = listing.counted(connection, select(JOURNEY.c.id).where(where))
    part = Part(wanted.offset, wanted.limit + (count >= listing.MOST_COUNTED), count, wanted.descending)
    ids = listing.ids_of_page(JOURNEY.c.id, wanted.columns(), part, where=where)
    return Found(rows_of(connection, wanted, ids.subquery()), count)


def rows_of(connection: Connection, wanted: Wanted, ids: Any) -> Sequence[Row]:
    """Return the journeys of a subquery's `id`s as they are shown, in the order that is wanted."""
    query = select(*_SHOWN).select_from(JOURNEY.join(ids, ids.c.id == JOURNEY.c.id))
    return _with_patients(connection, connection.execute(query.order_by(*wanted.order())).mappings().all())


def get(connection: Connection, id_: UUID, seen: ColumnElement[bool]) -> Row | None:
    """Return the journey with that id, or the one it is merged into, with `merged_from`; None: not seen."""
    survivor = _ASKED.join(JOURNEY, JOURNEY.c.id == func.coalesce(_ASKED.c.merged_into, _ASKED.c.id))
    merged_from = func.nullif(_ASKED.c.id, JOURNEY.c.id).label("merged_from")
    query = select(*_SHOWN, merged_from).select_from(survivor).where(_ASKED.c.id == id_, seen)
    found = _with_patients(connection, connection.execute(query).mappings().all())
    return found[0] if found else None


def _with_patients(connection: Connection, rows: Sequence[Mapping[Any, Any]]) -> Sequence[Row]:
    told = {row["patient_id"] for row in rows if row["patient_id"] is not None}
    known = shown.patients(connection, told)
    return [{"merged_from": None, **row, **_patient(row, known)} for row in rows]


def _patient(row: Mapping[Any, Any], known: Mapping[UUID, Mapping[Any, Any]]) -> Row:
    """What is shown of a journey's patient; an id that nothing else has been told of stays alone."""
    found = known.get(row["patient_id"])
    if found is None:
        return {"patient": row["patient_id"], "patient_mrn": None, "patient_name": None}
    return {"patient": found["id"], "patient_mrn": found["mrn"], "patient_name": shown.name_of(found)}
