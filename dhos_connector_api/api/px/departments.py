"""Departments, over HTTP."""

import flask

from dhos_connector_api.api.px import organizing
from dhos_connector_api.http.numbered_pages import Page
from dhos_connector_api.px.organizations.resources import DEPARTMENT


def list_departments(
    page: int,
    page_size: int,
    ordering: str,
    search: str | None,
    status: str | None,
    hospital: str | None,
    parent: str | None,
) -> flask.Response:
    """Answer with one page of departments."""
    filters = {"status": status, "hospital": hospital, "parent": parent}
    return organizing.listed(DEPARTMENT, Page(page, page_size), ordering, search, filters)


def create_department() -> flask.Response:
    """Make a department."""
    return organizing.create(DEPARTMENT)


def get_department(department_id: str) -> flask.Response:
    """Answer with one department."""
    return organizing.show(DEPARTMENT, department_id)


def replace_department(department_id: str) -> flask.Response:
    """Set all fields of a department."""
    return organizing.change(DEPARTMENT, department_id, whole=True)


def change_department(department_id: str) -> flask.Response:
    """Change the given fields of a department."""
    return organizing.change(DEPARTMENT, department_id, whole=False)


def delete_department(department_id: str) -> flask.Response:
    """Deactivate a department."""
    return organizing.deactivate(DEPARTMENT, department_id)
