"""The JSON of `hospitals`, `departments`, `physicians` and `employees` (marshmallow)."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from dhos_connector_api.api.schemas import Instant
from dhos_connector_api.http.dumping import dumper
from dhos_connector_api.http.paging import json_text
from dhos_connector_api.px.organizations.resources import DEPARTMENT, EMPLOYEE, HOSPITAL, PHYSICIAN, Resource


class _Kept(Schema):
    """What all have; `openapi/px/schemas/` describes each."""

    id = fields.UUID()
    created_at = Instant()
    updated_at = Instant()
    phone = fields.String()
    status = fields.String()


class HospitalSchema(_Kept):
    """A hospital."""

    name = fields.String()
    name_ar = fields.String()
    code = fields.String()
    address = fields.String()
    city = fields.String()
    email = fields.String()
    license_number = fields.String()
    capacity = fields.Integer()
    region = fields.String()


class HospitalIdentifierSchema(Schema):
    """What a source calls a hospital."""

    id = fields.UUID()
    created_at = Instant()
    source = fields.String()
    kind = fields.String()
    value = fields.String()


class DepartmentSchema(_Kept):
    """A department."""

    hospital = fields.UUID(attribute="hospital_id")
    hospital_name = fields.String()
    name = fields.String()
    name_ar = fields.String()
    code = fields.String()
    parent = fields.UUID(attribute="parent_id")
    parent_name = fields.String()
    manager = fields.UUID(attribute="manager_id")
    location = fields.String()
    ward_codes = fields.List(fields.String())


class _Person(_Kept):
    """What physicians and employees have."""

    hospital = fields.UUID(attribute="hospital_id")
    hospital_name = fields.String()
    department = fields.UUID(attribute="department_id")
    department_name = fields.String()
    first_name = fields.String()
    last_name = fields.String()
    first_name_ar = fields.String()
    last_name_ar = fields.String()
    email = fields.String()


class PhysicianSchema(_Person):
    """A physician."""

    license_number = fields.String()
    specialization = fields.String()


class EmployeeSchema(_Person):
    """An employee."""

    employee_number = fields.String()
    user = fields.UUID(attribute="user_id")
    job_title = fields.String()


#: What is shown of a row, by the name of its resource.
_DUMPERS = {
    HOSPITAL.name: dumper(HospitalSchema()),
    DEPARTMENT.name: dumper(DepartmentSchema()),
    PHYSICIAN.name: dumper(PhysicianSchema()),
    EMPLOYEE.name: dumper(EmployeeSchema()),
}
_IDENTIFIER = dumper(HospitalIdentifierSchema())


def text_of(resource: Resource, row: Mapping[Any, Any]) -> bytes:
    """Return the JSON text of a row."""
    return json_text(_DUMPERS[resource.name](row))


def identifier_text(row: Mapping[Any, Any]) -> bytes:
    """Return the JSON text of what a source calls a hospital."""
    return json_text(_IDENTIFIER(row))
