"""What hospitals, departments, physicians and employees are made of: fields, keys, orders, search."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Table

from dhos_connector_api.px.organizations.models import DepartmentRow, EmployeeRow, HospitalRow, PhysicianRow


class Status(StrEnum):
    """Whether something is in use. Nothing is ever deleted."""

    ACTIVE = "active"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of thing. `fields` are the writable ones of its JSON, and the columns they are kept in.

    `key` is the field that is unique, within its hospital where it has one. `references` are the fields that
    name a department of the same hospital, `users` those that name a user of it. `search` are the columns
    whose words are searched, `orders` the columns of each order that may be asked for. `held` are fields that
    only who reaches all hospitals may change.
    """

    name: str
    table: Table
    key: str
    fields: Mapping[str, str]
    required: frozenset[str]
    orders: Mapping[str, tuple[str, ...]]
    search: tuple[str, ...]
    references: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    blanks: Mapping[str, Any] = field(default_factory=lambda: {"status": Status.ACTIVE})

    @property
    def hospital(self) -> Any:
        """Return the column of its hospital; of a hospital that is its id."""
        return self.table.c.id if self is HOSPITAL else self.table.c.hospital_id

    @property
    def department(self) -> Any:
        """Return the column of its department, for the scope; None for hospitals."""
        return {"hospital": None, "department": self.table.c.id}.get(
            self.name, self.table.c.get("department_id")
        )

    @property
    def unknown(self) -> str:
        """Return the text for one that is not there."""
        return f"there is no {self.name} with that id"

    def blank(self, name: str) -> Any:
        """Return what a field is that nobody has given."""
        return self.blanks.get(name)


def _fields(*names: str, **columns: str) -> dict[str, str]:
    return columns | {name: name for name in names}


_NAMES = ("first_name", "last_name", "first_name_ar", "last_name_ar")
_TIMES = {"created_at": ("created_at",), "updated_at": ("updated_at",)}
_BY_NAME = {"name": ("name",), "code": ("code",), **_TIMES}
_BY_PERSON = {"last_name": ("last_name", "first_name"), "first_name": ("first_name", "last_name"), **_TIMES}

HOSPITAL = Resource(
    "hospital",
    HospitalRow.__table__,
    key="code",
    fields=_fields(
        *("name", "name_ar", "code", "address", "city", "phone", "email"),
        *("license_number", "capacity", "region", "status"),
    ),
    required=frozenset({"name", "code"}),
    orders=_BY_NAME | {"city": ("city", "name")},
    search=("name", "name_ar", "code"),
    held=frozenset({"code", "status"}),  # by its code sources find it, and so who sees their patients
)
DEPARTMENT = Resource(
    "department",
    DepartmentRow.__table__,
    key="code",
    fields=_fields(
        *("name", "name_ar", "code", "phone", "location", "ward_codes", "status"),
        hospital="hospital_id",
        parent="parent_id",
        manager="manager_id",
    ),
    required=frozenset({"hospital", "name", "code"}),
    orders=_BY_NAME,
    search=("name", "name_ar", "code"),
    references=("parent",),
    users=("manager",),
    blanks={"status": Status.ACTIVE, "ward_codes": []},
)
PHYSICIAN = Resource(
    "physician",
    PhysicianRow.__table__,
    key="license_number",
    fields=_fields(
        *_NAMES,
        *("license_number", "specialization", "phone", "email", "status"),
        hospital="hospital_id",
        department="department_id",
    ),
    required=frozenset({"hospital", "license_number", "first_name", "last_name"}),
    orders=_BY_PERSON | {"license_number": ("license_number",), "specialization": ("specialization",)},
    search=(*_NAMES, "license_number"),
    references=("department",),
)
EMPLOYEE = Resource(
    "employee",
    EmployeeRow.__table__,
    key="employee_number",
    fields=_fields(
        *_NAMES,
        *("employee_number", "job_title", "phone", "email", "status"),
        hospital="hospital_id",
        department="department_id",
        user="user_id",
    ),
    required=frozenset({"hospital", "employee_number", "first_name", "last_name"}),
    orders=_BY_PERSON | {"employee_number": ("employee_number",), "job_title": ("job_title",)},
    search=(*_NAMES, "employee_number"),
    references=("department",),
    users=("user",),
)
