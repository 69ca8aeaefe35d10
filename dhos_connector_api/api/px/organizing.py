"""What the handlers of `hospitals`, `departments`, `physicians` and `employees` do, whichever it is."""

from collections.abc import Mapping
from uuid import UUID

import flask
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.api.px import asking
from dhos_connector_api.api.px.audited import audited
from dhos_connector_api.api.px.organization_schemas import text_of
from dhos_connector_api.api.services import services
from dhos_connector_api.http import call
from dhos_connector_api.http.numbered_pages import Page, numbered_page, uuid_filter
from dhos_connector_api.http.paging import uuid_of
from dhos_connector_api.http.versions import expected_version, versioned
from dhos_connector_api.px.organizations import changes, store
from dhos_connector_api.px.organizations.changes import Done
from dhos_connector_api.px.organizations.resources import HOSPITAL, Resource
from dhos_connector_api.px.organizations.store import Wanted
from dhos_connector_api.px.people.active_users import active_users

_CREATED = 201


def listed(
    resource: Resource, page: Page, ordering: str, search: str | None, filters: Mapping[str, str | None]
) -> flask.Response:
    """Answer with one page: the given filters are by field."""
    wanted = Wanted(ordering.lstrip("-"), ordering.startswith("-"), _equal(resource, filters), search)
    seen = asking.scope().condition(resource.hospital, resource.department)
    with services().database.statements() as connection:
        count = store.count(connection, resource, wanted, seen)
        part = {"offset": page.offset, "limit": page.rows(count)}
        rows = store.listed(connection, resource, wanted, seen, **part, of=count)
    query = {**filters, "search": search, "ordering": ordering}
    texts = (text_of(resource, row) for row in rows)
    return numbered_page(texts, count, page, query, asking.parts().public_url)


def create(resource: Resource) -> flask.Response:
    """Store a new one of the body's fields."""
    now, body = clock.now(), dict(call.current().body)
    if resource is not HOSPITAL:
        asking.scope().hospital_of_body(_uuid(body["hospital"]))
    with services().database.transaction() as connection:
        done = changes.create(connection, resource, clock.new_uuid(now), body, users=active_users, at=now)
        _audit(connection, "create", resource, done)
    return _answer(resource, done, _CREATED)


def show(resource: Resource, id_: str) -> flask.Response:
    """Answer with one."""
    seen = asking.scope().condition(resource.hospital, resource.department)
    with services().database.statements() as connection:
        row = store.get(connection, resource, uuid_of(id_, resource.unknown), seen)
    return versioned(text_of(resource, row), row["version"])


def change(resource: Resource, id_: str, *, whole: bool) -> flask.Response:
    """Set all fields (`whole`), or those that the body has."""
    with services().database.transaction() as connection:
        done = changes.change(
            connection,
            resource,
            uuid_of(id_, resource.unknown),
            call.current().body,
            whole=whole,
            seen=asking.scope().condition(resource.hospital, resource.department),
            version=expected_version(),
            users=active_users,
            at=clock.now(),
            held=() if asking.scope().includes(None) else resource.held,
        )
        _audit(connection, "change", resource, done)
    return _answer(resource, done)


def deactivate(resource: Resource, id_: str) -> flask.Response:
    """Make one inactive."""
    seen = asking.scope().condition(resource.hospital, resource.department)
    with services().database.transaction() as connection:
        done = changes.deactivate(
            connection,
            resource,
            uuid_of(id_, resource.unknown),
            seen=seen,
            version=expected_version(),
            at=clock.now(),
        )
        if done.fields:  # else it was inactive before
            _audit(connection, "deactivate", resource, done)
    return flask.Response(status=204)


def _audit(connection: Connection, action: str, resource: Resource, done: Done) -> None:
    hospital = done.row["id"] if resource is HOSPITAL else done.row["hospital_id"]
    audited(connection, action, resource.name, done.row["id"], hospital, done.fields)


def _answer(resource: Resource, done: Done, status: int = 200) -> flask.Response:
    return versioned(text_of(resource, done.row), done.row["version"], status)


def _equal(resource: Resource, filters: Mapping[str, str | None]) -> dict[str, str | UUID]:
    """Return the filters that were given, by column."""
    found: dict[str, str | UUID] = {}
    for name, text in filters.items():
        column = resource.fields[name]
        value = uuid_filter(name, text) if column.endswith("_id") else text
        if value is not None:
            found[column] = value
    return found


def _uuid(text: str) -> UUID | None:
    """Return the uuid of a field; None for what is none, which is told with all else that does not fit."""
    try:
        return UUID(text)
    except ValueError:
        return None
