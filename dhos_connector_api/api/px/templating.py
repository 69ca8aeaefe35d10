"""What the handlers of `journey_templates` and `stage_templates` do, whichever it is."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import flask
from sqlalchemy import ColumnElement, Connection

from dhos_connector_api import clock
from dhos_connector_api.api.px import asking
from dhos_connector_api.api.px.audited import audited
from dhos_connector_api.api.px.template_schemas import text_of, whole_template
from dhos_connector_api.api.services import services
from dhos_connector_api.http import call
from dhos_connector_api.http.numbered_pages import Page, flag_filter, numbered_page, uuid_filter
from dhos_connector_api.http.paging import uuid_of
from dhos_connector_api.http.versions import expected_version, versioned
from dhos_connector_api.px.journeys import stage_changes, template_changes
from dhos_connector_api.px.journeys import template_store as store
from dhos_connector_api.px.journeys.resources import STAGE, TEMPLATE
from dhos_connector_api.px.organizations.changes import Done
from dhos_connector_api.px.organizations.resources import Resource
from dhos_connector_api.px.organizations.store import Row, Wanted

_CREATED = 201
#: What changes one, by the name of its resource.
_CHANGES: Mapping[str, Any] = {TEMPLATE.name: template_changes, STAGE.name: stage_changes}


def seen(resource: Resource) -> ColumnElement[bool]:
    """Return the condition under which the person who asks sees one."""
    return asking.scope().condition(resource.hospital)


def listed(
    resource: Resource, page: Page, ordering: str, search: str | None, filters: Mapping[str, str | None]
) -> flask.Response:
    """Answer with one page: the given filters are by field."""
    wanted = Wanted(ordering.lstrip("-"), ordering.startswith("-"), _equal(resource, filters), search)
    condition = seen(resource)
    with services().database.statements() as connection:
        count = store.count(connection, resource, wanted, condition)
        part = {"offset": page.offset, "limit": page.rows(count)}
        rows = store.listed(connection, resource, wanted, condition, **part, of=count)
    query = {**filters, "search": search, "ordering": ordering}
    texts = (text_of(resource, row) for row in rows)
    return numbered_page(texts, count, page, query, asking.parts().public_url)


def created(resource: Resource, store_it: Callable[[Connection, UUID, datetime], Done]) -> flask.Response:
    """Answer with a new one, which `store_it` stores under that id."""
    now = clock.now()
    with services().database.transaction() as connection:
        done = store_it(connection, clock.new_uuid(now), now)
        _audit(connection, "create", resource, done)
        return _answer(connection, resource, done.row, _CREATED)


def show(resource: Resource, id_: str) -> flask.Response:
    """Answer with one."""
    with services().database.statements() as connection:
        row = store.get(connection, resource, uuid_of(id_, resource.unknown), seen(resource))
        return _answer(connection, resource, row)


def change(resource: Resource, id_: str, *, whole: bool) -> flask.Response:
    """Set all fields (`whole`), or those that the body has."""
    with services().database.transaction() as connection:
        done = _CHANGES[resource.name].change(
            connection,
            uuid_of(id_, resource.unknown),
            call.current().body,
            whole=whole,
            seen=seen(resource),
            version=expected_version(),
            at=clock.now(),
        )
        if done.fields:  # else it was so before
            _audit(connection, "change", resource, done)
        return _answer(connection, resource, done.row)


def deactivate(resource: Resource, id_: str) -> flask.Response:
    """Make one inactive."""
    with services().database.transaction() as connection:
        done = _CHANGES[resource.name].deactivate(
            connection,
            uuid_of(id_, resource.unknown),
            seen=seen(resource),
            version=expected_version(),
            at=clock.now(),
        )
        if done.fields:  # else it was inactive before
            _audit(connection, "deactivate", resource, done)
    return flask.Response(status=204)


def _answer(connection: Connection, resource: Resource, row: Row, status: int = 200) -> flask.Response:
    """Return the answer with one: a template comes with its stages."""
    if resource is not TEMPLATE:
        return versioned(text_of(resource, row), row["version"], status)
    stages = store.stages_of(connection, [row["id"]], but_inactive=True)
    return versioned(whole_template(row, stages), row["version"], status)


def _audit(connection: Connection, action: str, resource: Resource, done: Done) -> None:
    audited(connection, action, resource.name, done.row["id"], done.row["hospital_id"], done.fields)


def _equal(resource: Resource, filters: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the filters that were given, by column."""
    found: dict[str, Any] = {}
    for name, text in filters.items():
        column = resource.fields[name]
        value: Any = text
        if column.endswith("_id"):
            value = uuid_filter(name, text)
        elif name.startswith("is_"):
            value = flag_filter(text)
        if value is not None:
            found[column] = value
    return found
