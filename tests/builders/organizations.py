"""Builders of hospitals, departments and persons of the wing: every call gives another code or number."""

from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import true

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.organizations import changes
from dhos_connector_api.px.organizations.changes import ActiveUsers
from dhos_connector_api.px.organizations.resources import DEPARTMENT, EMPLOYEE, HOSPITAL, PHYSICIAN, Resource
from dhos_connector_api.px.organizations.store import Row
from dhos_connector_api.px.people.active_users import active_users
from tests.builders import people
from tests.builders.rows import later

_number = count(1)


def body_of(resource: Resource, hospital: UUID | str | None = None, **fields: Any) -> dict[str, Any]:
    """The JSON body of a new one."""
    number = next(_number)
    made: dict[str, Any] = {resource.key: f"{resource.name[:1].upper()}{number:06}"}
    if resource in (HOSPITAL, DEPARTMENT):
        made["name"] = f"{resource.name} {number}"
    else:
        made |= {"first_name": f"First{number}", "last_name": f"Last{number}"}
    if hospital is not None:
        made["hospital"] = str(hospital)
    return made | fields


def patient_body(hospital: UUID | str, **fields: Any) -> dict[str, Any]:
    """The JSON body of a new patient."""
    number = next(_number)
    names = {"first_name": f"First{number}", "last_name": f"Last{number}"}
    return {"mrn": f"M{number:06}", **names, "primary_hospital": str(hospital)} | fields


def made(
    database: Database,
    resource: Resource,
    hospital: UUID | None = None,
    *,
    users: ActiveUsers = active_users,
    **fields: Any,
) -> Row:
    """A stored one."""
    at = later()
    with database.transaction() as connection:
        body = body_of(resource, hospital, **fields)
        return changes.create(connection, resource, clock.new_uuid(at), body, users=users, at=at).row


def changed(
    database: Database,
    resource: Resource,
    row: Row,
    *,
    whole: bool = False,
    version: int | None = None,
    seen: Any = None,
    **fields: Any,
) -> Row:
    """It, changed."""
    with database.transaction() as connection:
        return changes.change(
            connection,
            resource,
            row["id"],
            fields,
            whole=whole,
            seen=true() if seen is None else seen,
            version=version,
            users=active_users,
            at=later(),
        ).row


def deactivated(database: Database, resource: Resource, row: Row, version: int | None = None) -> Row:
    """It, inactive."""
    with database.transaction() as connection:
        return changes.deactivate(
            connection, resource, row["id"], seen=true(), version=version, at=later()
        ).row


def a_hospital(database: Database, **fields: Any) -> Row:
    """A stored hospital."""
    return made(database, HOSPITAL, **fields)


def a_department(database: Database, hospital: UUID, **fields: Any) -> Row:
    """A stored department."""
    return made(database, DEPARTMENT, hospital, **fields)


def a_physician(database: Database, hospital: UUID, **fields: Any) -> Row:
    """A stored physician."""
    return made(database, PHYSICIAN, hospital, **fields)


def an_employee(database: Database, hospital: UUID, **fields: Any) -> Row:
    """A stored employee."""
    return made(database, EMPLOYEE, hospital, **fields)


def a_user(
    database: Database,
    hospital: UUID | None = None,
    *,
    level: int = 80,
    department: UUID | None = None,
    is_active: bool = True,
) -> UUID:
    """A stored user with a role of that level."""
    columns = {"hospital_id": hospital, "department_id": department, "is_active": is_active}
    with database.transaction() as connection:
        return people.a_user(connection, level, **columns)
