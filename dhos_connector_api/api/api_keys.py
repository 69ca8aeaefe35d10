"""API keys over HTTP: made, listed, ended, rotated. A key itself is in one answer only."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import flask

from dhos_connector_api import clock
from dhos_connector_api.access import store as keys
from dhos_connector_api.api import event_schemas
from dhos_connector_api.api.px.audited import audited_of_person
from dhos_connector_api.api.services import services
from dhos_connector_api.auth import api_keys
from dhos_connector_api.http import call
from dhos_connector_api.http.large_answers import ROW_BYTES
from dhos_connector_api.http.paging import cursor, json_answer, json_page, uuid_of

_UNKNOWN = "there is no API key with that id"
_OVERLAP_SECONDS = 7 * 86400


def list_api_keys(source_system: str | None, before: str | None) -> flask.Response:
    """Answer with all keys, or those of one source."""
    older, parts = cursor(before), services()
    with parts.database.statements() as connection:
        rows = keys.listed(connection, source_system, before=older)
    with parts.answers.room(len(rows) * ROW_BYTES):
        query, more = {"source_system": source_system}, len(rows) == keys.MOST_LISTED
        return json_page(rows, event_schemas.key_text, query, more=more, name="id")


def create_api_key() -> flask.Response:
    """Make a key for a source."""
    here, now, made = call.current(), clock.now(), api_keys.make(clock.random_bytes(api_keys.KEY_BYTES))
    source = here.body["source_system"]
    with services().database.transaction() as connection:
        row = keys.add(connection, clock.new_uuid(now), made, source=source, at=now, by=here.caller)
        audited_of_person(connection, "create", "api_key", row["id"], ("source_system",))
    return _shown_once(made.text, row)


def rotate_api_key(key_id: str) -> flask.Response:
    """Make a new key for the holder of this one."""
    here, now, made = call.current(), clock.now(), api_keys.make(clock.random_bytes(api_keys.KEY_BYTES))
    overlap = timedelta(seconds=here.body.get("overlap_seconds", _OVERLAP_SECONDS))
    old, new = uuid_of(key_id, _UNKNOWN), clock.new_uuid(now)
    with services().database.transaction() as connection:
        row = keys.rotate(connection, old, new, made, overlap=overlap, at=now, by=here.caller)
        audited_of_person(connection, "rotate", "api_key", old, ("expires_at",))
        audited_of_person(connection, "create", "api_key", new, ("source_system",))
    return _shown_once(made.text, row)


def revoke_api_key(key_id: str) -> flask.Response:
    """End a key."""
    id_ = uuid_of(key_id, _UNKNOWN)
    with services().database.transaction() as connection:
        row = keys.revoke(connection, id_, at=clock.now(), by=call.current().caller)
        audited_of_person(connection, "revoke", "api_key", id_, ("revoked_at",))
    return json_answer(event_schemas.key(row))


def _shown_once(text: str, row: Mapping[Any, Any]) -> flask.Response:
    response = json_answer({"api_key": text, "key": event_schemas.key(row)}, 201)
    response.headers["Cache-Control"] = "no-store"  # nobody in between may keep the key
    return response
