"""The tree of a hospital's departments, as SQL."""

from typing import Any
from uuid import UUID

from sqlalchemy import Exists, ScalarSelect, Select, exists, select

from dhos_connector_api.px.organizations.models import DepartmentRow, HospitalRow


def department_and_below(department_id: UUID) -> Select[Any]:
    """Return the query for the ids of a department and of all below it."""
    tree = select(DepartmentRow.id).where(DepartmentRow.id == department_id).cte(recursive=True)
    # UNION, not UNION ALL: ends even where the tree were none
    below = select(DepartmentRow.id).where(DepartmentRow.parent_id == tree.c.id)
    tree = tree.union(below)
    return select(tree.c.id)


def hospital_of_department(department_id: UUID) -> ScalarSelect[Any]:
    """Return the query for the hospital a department is of; NULL where there is no such department."""
    query = select(DepartmentRow.hospital_id).where(DepartmentRow.id == department_id)
    return query.scalar_subquery()


def hospital_name(hospital_id: Any) -> ScalarSelect[Any]:
    """Return the query for the name of the hospital with the id of that column, for rows of its table."""
    query = select(HospitalRow.name).where(HospitalRow.id == hospital_id)
    return query.correlate(hospital_id.table).scalar_subquery()


def hospital_exists(hospital_id: UUID) -> Exists:
    """Return the condition that there is such a hospital."""
    return exists().where(HospitalRow.id == hospital_id)
