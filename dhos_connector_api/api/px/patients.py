"""Patients, over HTTP. Each look at who a patient is, and each change, is written down.

A list is one entry in the audit trail: of the hospital that it is of, without an object.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.api.px import asking
from dhos_connector_api.api.px.audited import audited
from dhos_connector_api.api.px.patient_schemas import text_of
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import NotFound
from dhos_connector_api.http import call
from dhos_connector_api.http.numbered_pages import Page, numbered_page, uuid_filter
from dhos_connector_api.http.paging import uuid_of
from dhos_connector_api.http.versions import expected_version, versioned
from dhos_connector_api.px.organizations import patient_changes, patient_search, patient_store
from dhos_connector_api.px.organizations.patient_changes import UNKNOWN, Done

_PATIENT = "patient"
_CREATED = 201


def list_patients(
    page: int,
    page_size: int,
    ordering: str,
    search: str | None,
    status: str | None,
    primary_hospital: str | None,
    gender: str | None,
    city: str | None,
) -> flask.Response:
    """Answer with one page of patients."""
    texts = {"gender": gender, "city": city, "status": status, "search": search}
    hospital = uuid_filter("primary_hospital", primary_hospital)
    wanted = {**texts, "primary_hospital": hospital}
    with services().database.transaction() as connection:
        found = patient_search.find(
            connection, _seen(), wanted, ordering=ordering, page=page, page_size=page_size
        )
        known = patient_store.identifiers(connection, [row["id"] for row in found.rows])
        audited(connection, "look", _PATIENT, None, asking.scope().hospital_id or hospital)
    query = {**texts, "primary_hospital": primary_hospital, "ordering": ordering}
    rows = (text_of(row, known[row["id"]]) for row in found.rows)
    return numbered_page(rows, found.count, Page(page, page_size), query, asking.parts().public_url)


def create_patient() -> flask.Response:
    """Make a patient."""
    body = _body()
    return _changed(
        "create", lambda at, connection: patient_changes.create(connection, body, at=at), _CREATED
    )


def get_patient(patient_id: str) -> flask.Response:
    """Answer with one patient, or with the one he is merged into."""
    id_ = uuid_of(patient_id, UNKNOWN)
    with services().database.transaction() as connection:
        row = patient_store.survivor(connection, id_, _seen())
        if row is None:
            raise NotFound(UNKNOWN)
        known = patient_store.identifiers(connection, [row["id"]])
        audited(connection, "look", _PATIENT, row["id"], row["hospital_id"])
    return _answer(row, known[row["id"]], merged_from=None if row["id"] == id_ else id_)


def replace_patient(patient_id: str) -> flask.Response:
    """Set all fields of a patient."""
    return _change(patient_id, whole=True)


def change_patient(patient_id: str) -> flask.Response:
    """Change the given fields of a patient."""
    return _change(patient_id, whole=False)


def delete_patient(patient_id: str) -> flask.Response:
    """Deactivate a patient."""
    id_, version = uuid_of(patient_id, UNKNOWN), expected_version()
    _changed(
        "deactivate",
        lambda at, connection: patient_changes.deactivate(
            connection, id_, seen=_seen(), version=version, at=at
        ),
    )
    return flask.Response(status=204)


def unmerge_patient(patient_id: str) -> flask.Response:
    """Make a merged patient one of his own again."""
    id_, by = uuid_of(patient_id, UNKNOWN), str(asking.person().id)
    return _changed(
        "unmerge",
        lambda at, connection: patient_changes.unmerge(connection, id_, seen=_seen(), at=at, by=by),
    )


def _change(patient_id: str, *, whole: bool) -> flask.Response:
    id_, version, body = uuid_of(patient_id, UNKNOWN), expected_version(), _body()
    return _changed(
        "change",
        lambda at, connection: patient_changes.change(
            connection, id_, body, whole=whole, seen=_seen(), version=version, at=at
        ),
    )


def _changed(action: str, change: Callable[[Any, Connection], Done], status: int = 200) -> flask.Response:
    """Do what changes a patient, write it down with it, and answer with him."""
    with services().database.transaction() as connection:
        done = change(clock.now(), connection)
        audited(connection, action, _PATIENT, done.row["id"], done.row["hospital_id"], done.fields)
    return _answer(done.row, done.identifiers, status=status)


def _answer(
    row: Any, identifiers: Any, *, merged_from: UUID | None = None, status: int = 200
) -> flask.Response:
    return versioned(text_of({**row, "merged_from": merged_from}, identifiers), row["version"], status)


def _seen() -> Any:
    return asking.scope().condition(patient_store.HOSPITAL_ID)


def _body() -> dict[str, Any]:
    """Return the body, when its hospital is within the reach of the right."""
    body = dict(call.current().body)
    given = body.get("primary_hospital")
    if given is not None:
        asking.scope().hospital_of_body(uuid_filter("primary_hospital", given), "primary_hospital")
    return body
