"""API keys over HTTP: made, listed, ended, rotated. A key itself is in one answer only."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import flask

from dhos_connector_api import clock
from dhos_connector_api.api import call, event_schemas
from dhos_connector_api.api.answers import JSON
from dhos_connector_api.api.services import services
from dhos_connector_api.auth import api_keys
from dhos_connector_api.errors import NotFound
from dhos_connector_api.events import keys

#: Of the answer that holds a key: nobody in between may keep it.
_SECRET = {"Cache-Control": "no-store"}
_OVERLAP_SECONDS = 7 * 86400


def list_keys(source_system: str | None) -> flask.Response:
    """All keys, or those of one source."""
    with services().database.statements() as connection:
        rows = keys.listed(connection, source_system)
    return flask.Response(json.dumps([event_schemas.key(row) for row in rows]), content_type=JSON)


def create_key() -> flask.Response:
    """A new key for a source."""
    here, now, made = call.current(), clock.now(), api_keys.make(clock.random_bytes(api_keys.KEY_BYTES))
    source = here.body["source_system"]
    with services().database.statements() as connection:
        row = keys.add(connection, clock.new_uuid(now), made, source=source, at=now, by=here.caller)
    return _shown_once(made.text, row)


def rotate_key(key_id: str) -> flask.Response:
    """A new key for the holder of this one."""
    here, now, made = call.current(), clock.now(), api_keys.make(clock.random_bytes(api_keys.KEY_BYTES))
    overlap = timedelta(seconds=here.body.get("overlap_seconds", _OVERLAP_SECONDS))
    with services().database.transaction() as connection:
        row = keys.rotate(
            connection, _id(key_id), clock.new_uuid(now), made, overlap=overlap, at=now, by=here.caller
        )
    return _shown_once(made.text, row)


def revoke_key(key_id: str) -> flask.Response:
    """The end of a key."""
    id_ = _id(key_id)
    with services().database.statements() as connection:
        row = keys.revoke(connection, id_, at=clock.now(), by=call.current().caller)
    return flask.Response(json.dumps(event_schemas.key(row)), content_type=JSON)


def _shown_once(text: str, row: Mapping[Any, Any]) -> flask.Response:
    body = json.dumps({"api_key": text, "key": event_schemas.key(row)})
    return flask.Response(body, 201, _SECRET, content_type=JSON)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("there is no API key with that id") from None
