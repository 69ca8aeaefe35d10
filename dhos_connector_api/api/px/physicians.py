"""Physicians, over HTTP."""

import flask

from dhos_connector_api.api.px import organizing
from dhos_connector_api.http.numbered_pages import Page
from dhos_connector_api.px.organizations.resources import PHYSICIAN


def list_physicians(
    page: int,
    page_size: int,
    ordering: str,
    search: str | None,
    status: str | None,
    hospital: str | None,
    department: str | None,
    specialization: str | None,
) -> flask.Response:
    """Answer with one page of physicians."""
    filters = {
        "status": status,
        "hospital": hospital,
        "department": department,
        "specialization": specialization,
    }
    return organizing.listed(PHYSICIAN, Page(page, page_size), ordering, search, filters)


def create_physician() -> flask.Response:
    """Make a physician."""
    return organizing.create(PHYSICIAN)


def get_physician(physician_id: str) -> flask.Response:
    """Answer with one physician."""
    return organizing.show(PHYSICIAN, physician_id)


def replace_physician(physician_id: str) -> flask.Response:
    """Set all fields of a physician."""
    return organizing.change(PHYSICIAN, physician_id, whole=True)


def change_physician(physician_id: str) -> flask.Response:
    """Change the given fields of a physician."""
    return organizing.change(PHYSICIAN, physician_id, whole=False)


def delete_physician(physician_id: str) -> flask.Response:
    """Deactivate a physician."""
    return organizing.deactivate(PHYSICIAN, physician_id)
