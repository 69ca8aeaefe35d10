"""Journeys, over HTTP. Each look at whose a journey is, and each change, is written down.

A list is one entry in the audit trail: of the hospital that it is of, without an object.
"""

from typing import Any
from uuid import UUID

import flask
from sqlalchemy import Connection, true

from dhos_connector_api import clock
from dhos_connector_api.api.px import asking, journey_schemas
from dhos_connector_api.api.px.audited import audited
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import NotFound
from dhos_connector_api.http import call
from dhos_connector_api.http.numbered_pages import Page, numbered_page, uuid_filter
from dhos_connector_api.http.paging import json_answer, uuid_of
from dhos_connector_api.http.versions import expected_version, versioned
from dhos_connector_api.px.journeys import by_person, histories, journey_list, search, stage_list
from dhos_connector_api.px.journeys.by_person import UNKNOWN
from dhos_connector_api.px.journeys.explaining import Language, explain
from dhos_connector_api.px.journeys.journey_list import DEPARTMENT_ID, HOSPITAL_ID, Row, Wanted
from dhos_connector_api.px.journeys.opening import By, open_journey
from dhos_connector_api.px.organizations.resources import DEPARTMENT
from dhos_connector_api.px.people import store as people
from dhos_connector_api.px.people.rights import Reach

_JOURNEY = "journey"
_CREATED = 201
_UUIDS = ("journey_template", "patient", "hospital")


def list_journeys(page: int, page_size: int, ordering: str, **asked: str | None) -> flask.Response:
    """Answer with one page of journeys."""
    filters: dict[str, Any] = {**asked, **{name: uuid_filter(name, asked[name]) for name in _UUIDS}}
    part = Page(page, page_size)
    wanted = Wanted(seen=_seen(), filters=filters, ordering=ordering, offset=part.offset, limit=page_size)
    with services().database.transaction() as connection:
        found = search.find(connection, wanted)
        _looked(connection, None, asking.scope().hospital_id or filters["hospital"])
    texts = map(journey_schemas.journey, found.rows)
    query = {**asked, "ordering": ordering}
    return numbered_page(texts, found.count, part, query, asking.parts().public_url)


def get_journey(journey_id: str) -> flask.Response:
    """Answer with one journey, or with the one it is merged into."""
    with services().database.transaction() as connection:
        return _answer(_looked_at(connection, journey_id))


def get_journey_progress(journey_id: str) -> flask.Response:
    """Answer with how far a journey is, and its stages."""
    with services().database.transaction() as connection:
        row = _looked_at(connection, journey_id)
        stages = stage_list.of_journey(connection, row["id"])
    return json_answer(journey_schemas.progress(row, stages))


def explain_journey(journey_id: str) -> flask.Response:
    """Answer with what told of a journey did to it, in the language of the person who asks."""
    with services().database.transaction() as connection:
        row = _found(connection, uuid_of(journey_id, UNKNOWN))
        found = histories.history(connection, row["id"])
        language = _language(connection)
    sentences = explain(*found, language) if found else ()
    return json_answer(journey_schemas.explained(row["id"], language, sentences))


def create_journey() -> flask.Response:
    """Open a journey by hand."""
    body, scope = call.current().body, asking.scope()
    scope.hospital_of_body(uuid_filter("hospital", body["hospital"]))
    departments = scope.condition(DEPARTMENT.hospital, DEPARTMENT.department)
    by = By(asking.person().id, departments, must_place=scope.reach is Reach.DEPARTMENT)
    with services().database.transaction() as connection:
        id_ = open_journey(connection, body, by, clock.now())
        row = journey_list.get(connection, id_, true()) or {}
        given = [name for name, value in body.items() if value is not None]
        audited(connection, "create", _JOURNEY, id_, row["hospital_id"], given)
    return _answer(row, _CREATED)


def replace_journey(journey_id: str) -> flask.Response:
    """Set what people keep of a journey."""
    return _keep(journey_id)


def change_journey(journey_id: str) -> flask.Response:
    """Change what people keep of a journey."""
    return _keep(journey_id)


def delete_journey(journey_id: str) -> flask.Response:
    """Cancel a journey."""
    _cancel(journey_id, None)
    return flask.Response(status=204)


def cancel_journey(journey_id: str) -> flask.Response:
    """Cancel a journey, and say why."""
    return _answer(_cancel(journey_id, call.current().body["reason"]))


def close_journey(journey_id: str) -> flask.Response:
    """Close a journey."""
    id_, reason, version = uuid_of(journey_id, UNKNOWN), call.current().body["reason"], expected_version()
    with services().database.transaction() as connection:
        row = by_person.close(
            connection,
            id_,
            reason,
            seen=_seen(),
            version=version,
            by=asking.person().id,
            at=clock.now(),
        )
        audited(connection, "close", _JOURNEY, id_, row["hospital_id"], ("reason", "status"))
    return _answer(row)


def _keep(journey_id: str) -> flask.Response:
    id_, version, details = uuid_of(journey_id, UNKNOWN), expected_version(), call.current().body["metadata"]
    with services().database.transaction() as connection:
        row, is_new = by_person.keep(connection, id_, details, seen=_seen(), version=version, at=clock.now())
        if is_new:  # else it was kept before
            audited(connection, "change", _JOURNEY, id_, row["hospital_id"], ("metadata",))
    return _answer(row)


def _cancel(journey_id: str, reason: str | None) -> Row:
    id_, version, by = uuid_of(journey_id, UNKNOWN), expected_version(), asking.person().id
    with services().database.transaction() as connection:
        row, is_new = by_person.cancel(
            connection, id_, reason, seen=_seen(), version=version, by=by, at=clock.now()
        )
        if is_new:  # else it was cancelled before
            fields = ("status",) if reason is None else ("reason", "status")
            audited(connection, "cancel", _JOURNEY, id_, row["hospital_id"], fields)
    return row


def _language(connection: Connection) -> Language:
    """Return the language of the person's profile, if we have it; else the one his client asks for."""
    row = people.get(connection, asking.person().id, true())
    own = row["language"] if row else None
    asked = flask.request.accept_languages.best_match(("en", "ar"), "en")
    return "ar" if (own if own in ("en", "ar") else asked) == "ar" else "en"


def _looked_at(connection: Connection, journey_id: str) -> Row:
    """Return a journey, and write down that its patient was looked at. Raises NotFound."""
    row = _found(connection, uuid_of(journey_id, UNKNOWN))
    if row["patient"] is not None:
        _looked(connection, row["patient"], row["hospital_id"])
    return row


def _looked(connection: Connection, patient: UUID | None, hospital: UUID | None) -> None:
    audited(connection, "look", "patient", patient, hospital)


def _found(connection: Connection, id_: UUID) -> Row:
    row = journey_list.get(connection, id_, _seen())
    if row is None:
        raise NotFound(UNKNOWN)
    return row


def _answer(row: Row, status: int = 200) -> flask.Response:
    return versioned(journey_schemas.journey(row), row["version"], status)


def _seen() -> Any:
    return asking.scope().condition(HOSPITAL_ID, DEPARTMENT_ID)
