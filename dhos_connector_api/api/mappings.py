"""What the codes of a source mean, over HTTP: listed, changed, tried and applied."""

import json
from typing import Any
from uuid import UUID

import flask

from dhos_connector_api import clock
from dhos_connector_api.api import call, event_schemas
from dhos_connector_api.api.answers import JSON
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import NotFound
from dhos_connector_api.events import mappings, reprocess
from dhos_connector_api.events.reprocess import Meaning

#: Events given another meaning by one request, and by one transaction of it.
_MOST_APPLIED, _GROUP = 2000, 250


def list_mappings(source_system: str | None) -> flask.Response:
    """All mappings, or those of one source."""
    with services().database.statements() as connection:
        rows = mappings.listed(connection, source_system)
    return _json([event_schemas.mapping(row) for row in rows])


def put_mapping() -> flask.Response:
    """Make a mapping, or change it."""
    here, now = call.current(), clock.now()
    with services().database.statements() as connection:
        row = mappings.put(
            connection,
            clock.new_uuid(now),
            source_system=here.body["source_system"],
            event_code=here.body["event_code"],
            canonical_code=here.body["canonical_code"],
            at=now,
            by=here.caller,
        )
    return _json(event_schemas.mapping(row))


def get_mapping(mapping_id: str) -> flask.Response:
    """One mapping."""
    id_ = _id(mapping_id)
    with services().database.statements() as connection:
        row = mappings.get(connection, id_)
    return _json(event_schemas.mapping(row))


def delete_mapping(mapping_id: str) -> flask.Response:
    """Take a mapping away."""
    id_ = _id(mapping_id)
    with services().database.statements() as connection:
        mappings.delete(connection, id_)
    return flask.Response(status=204)


def preview_mapping() -> flask.Response:
    """What a mapping, or taking it away, would do to stored events."""
    body: dict[str, Any] = call.current().body
    mapped = "canonical_code" in body
    meaning = Meaning(body["source_system"], body["event_code"], mapped, body.get("canonical_code"))
    with services().database.statements() as connection:
        found = reprocess.preview(connection, meaning)
    examples = [event_schemas.changing(row) for row in found.examples]
    return _json({"stored": found.stored, "changing": found.changing, "examples": examples})


def apply_mapping() -> flask.Response:
    """Give stored events the meaning their code has now."""
    body, database, changed = call.current().body, services().database, 0
    while changed < _MOST_APPLIED:
        with database.transaction() as connection:
            meaning = reprocess.meaning_now(connection, body["source_system"], body["event_code"])
            done = reprocess.apply(connection, meaning, limit=_GROUP, at=clock.now())
        changed += done
        if done < _GROUP:
            break
    with database.statements() as connection:
        meaning = reprocess.meaning_now(connection, body["source_system"], body["event_code"])
        remaining = reprocess.preview(connection, meaning, examples=0).changing
    return _json({"changed": changed, "remaining": remaining})


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("there is no mapping with that id") from None


def _json(value: object) -> flask.Response:
    return flask.Response(json.dumps(value), content_type=JSON)
