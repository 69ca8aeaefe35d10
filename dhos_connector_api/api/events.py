"""Integration events over HTTP: taken, listed, looked at, published again."""

from urllib.parse import urlencode
from uuid import UUID

import flask

from dhos_connector_api import clock
from dhos_connector_api.api import event_intake, event_schemas
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import NotFound
from dhos_connector_api.events import store
from dhos_connector_api.events.search import find
from dhos_connector_api.http import call
from dhos_connector_api.http.paging import json_answer, uuid_of
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
) -> flask.Response:
    """Answer with one page of events; for an API key, of its source."""
    filters = {
        "status": status,
        "source_system": source_system,
        "event_code": event_code,
        "encounter_id": encounter_id,
        "search": search,
    }
    asked = {**filters, "ordering": ordering, "page_size": str(page_size)}
    own = {"own_source": call.current().source}
    with services().database.statements() as connection:
        found = find(connection, {**filters, **own}, ordering=ordering, page=page, page_size=page_size)
    return json_answer(
        {
            "count": found.count,
            "next": _page(asked, page + 1) if found.more else None,
            "previous": _page(asked, page - 1) if page > 1 else None,
            "results": [event_schemas.event(row) for row in found.rows],
        }
    )


def _page(asked: dict[str, str | None], number: int) -> str:
    """Return the address of a page, without the host, which a proxy may know by another name."""
    given = {name: value for name, value in asked.items() if value is not None}
    return f"{flask.request.path}?{urlencode({**given, 'page': number})}"


def get_event(event_id: str) -> flask.Response:
    """Answer with one event; for an API key, one of its source."""
    return _event(uuid_of(event_id, _UNKNOWN))


def reprocess_event(event_id: str) -> flask.Response:
    """Publish an event again, with what its code means now."""
    id_ = uuid_of(event_id, _UNKNOWN)
    site = services().intake().site
    with services().database.transaction() as connection:
        reprocess.reprocess(connection, id_, site, source=call.current().source, at=clock.now())
    return _event(id_)


def _event(id_: UUID) -> flask.Response:
    with services().database.statements() as connection:
        row = store.get(connection, id_)
    source = call.current().source
    if row is None or (source is not None and row["source_system"].lower() != source.lower()):
        raise NotFound(_UNKNOWN)
    return json_answer(event_schemas.event(row))
