"""Integration events over HTTP: taken, listed, looked at, published again."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import flask

from dhos_connector_api import clock
from dhos_connector_api.api import event_intake, event_schemas
from dhos_connector_api.api.px.audited import audited_of_person
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import BadInput, NotFound
from dhos_connector_api.events import search as finding
from dhos_connector_api.events import store
from dhos_connector_api.http import call
from dhos_connector_api.http.answers import JSON
from dhos_connector_api.http.paging import json_list, json_text, texts_within, uuid_of
from dhos_connector_api.intake import reprocess

_UNKNOWN = "there is no event with that id"
#: The source of events that come under the address of the predecessor's simulators.
_SIMULATED = "his"


def post_event() -> flask.Response:
    """Keep one event."""
    return event_intake.post_one({})


def post_simulated_event() -> flask.Response:
    """Keep one event of the HIS."""
    return event_intake.post_one({"source_system": call.current().source or _SIMULATED})


def post_events() -> flask.Response:
    """Keep many events."""
    return event_intake.post_many()


def list_events(
    status: str | None,
    source_system: str | None,
    event_code: str | None,
    encounter_id: str | None,
    search: str | None,
    ordering: str,
    page: int,
    page_size: int,
    skip: int,
    fields: str | None,
) -> flask.Response:
    """Answer with one page of events, as far as an answer goes; for an API key, of its source."""
    if skip >= page_size:
        raise BadInput("query: skip must be less than page_size")
    filters = {
        "status": status,
        "source_system": source_system,
        "event_code": event_code,
        "encounter_id": encounter_id,
        "search": search,
    }
    asked = {**filters, "ordering": ordering, "page_size": str(page_size), "fields": fields}
    own, parts = {"own_source": call.current().source}, services()
    with parts.database.statements() as connection:
        found = finding.find(
            connection, {**filters, **own}, ordering=ordering, page=page, page_size=page_size, skip=skip
        )
        ids = [row["id"] for row in found.rows] if fields else []
        sizes = finding.payload_sizes(connection, ids)
    rows: Sequence[Mapping[Any, Any]] = found.rows
    with parts.answers.room(sizes[-1] if sizes else 0):
        if fields:
            with parts.database.statements() as connection:
                rows = finding.with_payloads(connection, found.rows[: len(sizes)])
        results = texts_within(map(event_schemas.event, rows))
        shown = skip + len(results)
        following = None
        if len(results) < len(found.rows) or found.more:
            following = _page(asked, page + 1) if shown == page_size else _page(asked, page, shown)
        about = {"count": found.count, "next": following, "previous": _previous(asked, page, skip)}
        return flask.Response(json_text(about, results=json_list(results)), content_type=JSON)


def _previous(asked: dict[str, str | None], page: int, skip: int) -> str | None:
    """Return the address of the page before; of a part of a page, that of the page from its beginning."""
    if skip:
        return _page(asked, page)
    return _page(asked, page - 1) if page > 1 else None


def _page(asked: dict[str, str | None], number: int, skip: int = 0) -> str:
    """Return the address of a page, without the host, which a proxy may know by another name."""
    given = {name: value for name, value in asked.items() if value is not None}
    given |= {"page": str(number)} | ({"skip": str(skip)} if skip else {})
    return f"{flask.request.path}?{urlencode(given)}"


def get_event(event_id: str) -> flask.Response:
    """Answer with one event; for an API key, one of its source."""
    return _event(uuid_of(event_id, _UNKNOWN))


def reprocess_event(event_id: str) -> flask.Response:
    """Publish an event again, with what its code means now."""
    id_ = uuid_of(event_id, _UNKNOWN)
    site = services().intake().site
    with services().database.transaction() as connection:
        reprocess.reprocess(connection, id_, site, source=call.current().source, at=clock.now())
        audited_of_person(connection, "reprocess", "event", id_)
    return _event(id_)


def _event(id_: UUID) -> flask.Response:
    source, parts = call.current().source, services()
    with parts.database.statements() as connection:
        size = store.size(connection, id_)
    with parts.answers.room(size):
        with parts.database.statements() as connection:
            row = store.get(connection, id_)
        if row is None or (source is not None and row["source_system"].lower() != source.lower()):
            raise NotFound(_UNKNOWN)
        return flask.Response(event_schemas.event(row), content_type=JSON)
