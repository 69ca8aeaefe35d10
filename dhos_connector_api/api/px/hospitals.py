"""Hospitals, over HTTP."""

import flask

from dhos_connector_api.api.px import organizing
from dhos_connector_api.http.numbered_pages import Page
from dhos_connector_api.px.organizations.resources import HOSPITAL


def list_hospitals(
    page: int, page_size: int, ordering: str, search: str | None, status: str | None, city: str | None
) -> flask.Response:
    """Answer with one page of hospitals."""
    filters = {"status": status, "city": city}
    return organizing.listed(HOSPITAL, Page(page, page_size), ordering, search, filters)


def create_hospital() -> flask.Response:
    """Make a hospital."""
    return organizing.create(HOSPITAL)


def get_hospital(hospital_id: str) -> flask.Response:
    """Answer with one hospital."""
    return organizing.show(HOSPITAL, hospital_id)


def replace_hospital(hospital_id: str) -> flask.Response:
    """Set all fields of a hospital."""
    return organizing.change(HOSPITAL, hospital_id, whole=True)


def change_hospital(hospital_id: str) -> flask.Response:
    """Change the given fields of a hospital."""
    return organizing.change(HOSPITAL, hospital_id, whole=False)


def delete_hospital(hospital_id: str) -> flask.Response:
    """Deactivate a hospital."""
    return organizing.deactivate(HOSPITAL, hospital_id)
