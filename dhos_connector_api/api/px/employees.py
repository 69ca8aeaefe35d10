"""Employees, over HTTP."""

import flask

from dhos_connector_api.api.px import organizing
from dhos_connector_api.http.numbered_pages import Page
from dhos_connector_api.px.organizations.resources import EMPLOYEE


def list_employees(
    page: int,
    page_size: int,
    ordering: str,
    search: str | None,
    status: str | None,
    hospital: str | None,
    department: str | None,
) -> flask.Response:
    """Answer with one page of employees."""
    filters = {"status": status, "hospital": hospital, "department": department}
    return organizing.listed(EMPLOYEE, Page(page, page_size), ordering, search, filters)


def create_employee() -> flask.Response:
    """Make an employee."""
    return organizing.create(EMPLOYEE)


def get_employee(employee_id: str) -> flask.Response:
    """Answer with one employee."""
    return organizing.show(EMPLOYEE, employee_id)


def replace_employee(employee_id: str) -> flask.Response:
    """Set all fields of an employee."""
    return organizing.change(EMPLOYEE, employee_id, whole=True)


def change_employee(employee_id: str) -> flask.Response:
    """Change the given fields of an employee."""
    return organizing.change(EMPLOYEE, employee_id, whole=False)


def delete_employee(employee_id: str) -> flask.Response:
    """Deactivate an employee."""
    return organizing.deactivate(EMPLOYEE, employee_id)
