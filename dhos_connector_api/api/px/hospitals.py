"""Hospitals, over HTTP."""

from uuid import UUID

import flask
from sqlalchemy import ColumnElement, Connection

from dhos_connector_api import clock
from dhos_connector_api.api.px import asking, organizing
from dhos_connector_api.api.px.audited import audited
from dhos_connector_api.api.px.organization_schemas import identifier_text
from dhos_connector_api.api.services import services
from dhos_connector_api.http import call
from dhos_connector_api.http.answers import JSON
from dhos_connector_api.http.numbered_pages import Page, numbered_page
from dhos_connector_api.http.paging import uuid_of
from dhos_connector_api.px.organizations import identifier_store, identifying, store
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


def list_hospital_identifiers(hospital_id: str) -> flask.Response:
    """Answer with all that sources call a hospital, on one page."""
    id_ = uuid_of(hospital_id, HOSPITAL.unknown)
    with services().database.statements() as connection:
        store.get(connection, HOSPITAL, id_, _seen())
        rows = identifier_store.listed(connection, id_)
    texts = (identifier_text(row) for row in rows)
    return numbered_page(texts, len(rows), Page(1, max(1, len(rows))), {}, asking.parts().public_url)


def create_hospital_identifier(hospital_id: str) -> flask.Response:
    """Store that a source calls a hospital so."""
    now, body, id_ = clock.now(), call.current().body, uuid_of(hospital_id, HOSPITAL.unknown)
    with services().database.transaction() as connection:
        row = identifying.identify(
            connection,
            clock.new_uuid(now),
            id_,
            source=body["source"],
            kind=body.get("kind", identifier_store.FACILITY),
            value=body["value"],
            seen=_seen(),
            at=now,
        )
        _audit(connection, id_)
    return flask.Response(identifier_text(row), 201, content_type=JSON)


def delete_hospital_identifier(hospital_id: str, identifier_id: str) -> flask.Response:
    """Remove what a source calls a hospital for good: it is a name, and nothing refers to it."""
    id_ = uuid_of(hospital_id, HOSPITAL.unknown)
    with services().database.transaction() as connection:
        identifying.take_back(connection, id_, uuid_of(identifier_id, identifying.UNKNOWN), _seen())
        _audit(connection, id_)
    return flask.Response(status=204)


def _seen() -> ColumnElement[bool]:
    return asking.scope().condition(HOSPITAL.hospital, HOSPITAL.department)


def _audit(connection: Connection, hospital_id: UUID) -> None:
    """Store that the hospital was changed: what it is called is a field of its."""
    audited(connection, "change", HOSPITAL.name, hospital_id, hospital_id, (identifying.FIELD,))
