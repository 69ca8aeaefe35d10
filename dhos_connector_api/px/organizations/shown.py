"""What rooms above show of organizations beside an id: names as SQL, and patients.

A patient who was merged is shown as the one he is merged into. Never commits.
"""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, ScalarSelect, Select, func, select, union

from dhos_connector_api.px.organizations.models import DepartmentRow, PatientRow, PhysicianRow
from dhos_connector_api.px.organizations.store import Row

_PATIENT = PatientRow.__table__
_TOLD = _PATIENT.alias("told")
_NAMES = ("first_name", "last_name", "first_name_ar", "last_name_ar")


def department_name(department_id: Any) -> ScalarSelect[Any]:
    """Return the query for the name of the department with the id of that column, for rows of its table."""
    query = select(DepartmentRow.name).where(DepartmentRow.id == department_id)
    return query.correlate(department_id.table).scalar_subquery()


def physician_name(physician_id: Any) -> ScalarSelect[Any]:
    """Return the query for the name of the physician with the id of that column, for rows of its table."""
    name = func.concat_ws(" ", PhysicianRow.first_name, PhysicianRow.last_name)
    query = select(name).where(PhysicianRow.id == physician_id)
    return query.correlate(physician_id.table).scalar_subquery()


def patients(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Row]:
    """Return id, mrn and names of these patients, or of those they are merged into, by the ids given."""
    columns = [_PATIENT.c[name] for name in ("id", "mrn", "hospital_id", *_NAMES)]
    joined = _TOLD.join(_PATIENT, _PATIENT.c.id == func.coalesce(_TOLD.c.merged_into, _TOLD.c.id))
    query = select(_TOLD.c.id.label("told"), *columns).select_from(joined).where(_TOLD.c.id.in_(ids))
    return {row["told"]: row for row in connection.execute(query).mappings()} if ids else {}


def alive(connection: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Return which of these patients are known to live, by the newest that was told; unknown ones are not."""
    joined = _TOLD.join(_PATIENT, _PATIENT.c.id == func.coalesce(_TOLD.c.merged_into, _TOLD.c.id))
    query = select(_TOLD.c.id).select_from(joined).where(_TOLD.c.id.in_(ids), ~_PATIENT.c.is_deceased)
    return set(connection.execute(query).scalars()) if ids else set()


def name_of(patient: Row) -> str | None:
    """Return a patient's name on one line, in Latin letters where these are known; None: it is not."""
    for first, last in (_NAMES[:2], _NAMES[2:]):
        if name := " ".join(patient[each] for each in (first, last) if patient[each]):
            return name
    return None


def same_patient(connection: Connection, id_: UUID) -> Sequence[UUID]:
    """Return all ids under which things were told of a patient: his own, and those merged with him."""
    survivor = select(func.coalesce(_TOLD.c.merged_into, _TOLD.c.id)).where(_TOLD.c.id == id_)
    found = connection.execute(with_merged(survivor.subquery())).scalars().all()
    return found or [id_]


def with_merged(survivors: Any) -> Select[Any]:
    """Return the query for the ids (the first column) of `survivors`, and of those merged into them."""
    own = next(iter(survivors.c))
    merged = select(_TOLD.c.id).join(survivors, _TOLD.c.merged_into == own)
    both = union(select(own.label("id")), merged).subquery()
    return select(both.c.id)
