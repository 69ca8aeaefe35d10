"""Deliveries to the hospital over HTTP: listed, looked at, retried, cancelled."""

from datetime import timedelta
from uuid import UUID

import flask

from dhos_connector_api import clock
from dhos_connector_api.api import schemas
from dhos_connector_api.api.px.audited import audited_of_person
from dhos_connector_api.api.services import services
from dhos_connector_api.deliveries import operate, search
from dhos_connector_api.deliveries.search import Wanted
from dhos_connector_api.errors import BadInput, NotFound
from dhos_connector_api.http import call
from dhos_connector_api.http.paging import cursor, json_answer, json_page, uuid_of

_UNKNOWN = "there is no delivery with that uuid"


def list_deliveries(
    state: str | None,
    destination: str | None,
    message_uuid: str | None,
    older_than: int | None,
    newer_than: int | None,
    limit: int,
    before: str | None,
) -> flask.Response:
    """Answer with deliveries, newest first, narrowed down as asked; ages are in seconds."""
    now = clock.now()
    wanted = Wanted(
        state=state,
        destination=destination,
        message_uuid=None if message_uuid is None else _message_uuid(message_uuid),
        created_before=None if older_than is None else now - timedelta(seconds=older_than),
        created_since=None if newer_than is None else now - timedelta(seconds=newer_than),
    )
    after = cursor(before)
    with services().database.statements() as connection:
        page = search.page(connection, wanted, limit=limit, before=after)
    query = {
        "state": state,
        "destination": destination,
        "message_uuid": message_uuid,
        "older_than": older_than,
        "newer_than": newer_than,
        "limit": limit,
    }
    return json_page(page.rows, schemas.delivery, query, more=page.more)


def get_delivery(delivery_uuid: str) -> flask.Response:
    """Answer with one delivery and every attempt."""
    return _shown(uuid_of(delivery_uuid, _UNKNOWN))


def retry_delivery(delivery_uuid: str) -> flask.Response:
    """Attempt a delivery now, its schedule begun anew. Raises NotFound, Conflict."""
    uuid = uuid_of(delivery_uuid, _UNKNOWN)
    with services().database.transaction() as connection:
        operate.retry(connection, uuid, by=call.current().caller, now=clock.now())
        audited_of_person(connection, "retry", "delivery", uuid, ("state",))
    return _shown(uuid)


def cancel_delivery(delivery_uuid: str) -> flask.Response:
    """Give a delivery up. Raises NotFound, Conflict."""
    uuid = uuid_of(delivery_uuid, _UNKNOWN)
    with services().database.transaction() as connection:
        operate.cancel(connection, uuid, by=call.current().caller, now=clock.now())
        audited_of_person(connection, "cancel", "delivery", uuid, ("state",))
    return _shown(uuid)


def _shown(uuid: UUID) -> flask.Response:
    with services().database.statements() as connection:
        row = search.get(connection, uuid)
        attempts = search.attempts(connection, uuid)
    if row is None:
        raise NotFound(_UNKNOWN)
    return json_answer(schemas.delivery_with_attempts(row, attempts))


def _message_uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadInput("query: message_uuid is no uuid") from None
