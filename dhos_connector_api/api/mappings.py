"""Mappings of a source's codes, over HTTP: listed, changed, tried and applied."""

from typing import Any

import flask

from dhos_connector_api import clock
from dhos_connector_api.api import event_schemas
from dhos_connector_api.api.px.audited import audited_of_person
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import BadInput, NotFound
from dhos_connector_api.events import mappings, meanings
from dhos_connector_api.http import call
from dhos_connector_api.http.large_answers import ROW_BYTES
from dhos_connector_api.http.paging import cursor, json_answer, json_page, uuid_of
from dhos_connector_api.intake import reprocess

_UNKNOWN = "there is no mapping with that id"
#: Fields of a mapping, as the trail names them.
_SET = ("source_system", "event_code", "canonical_code")
#: Events given another meaning by one request, and by one transaction of it.
_MOST_APPLIED, _GROUP = 2000, 250
#: Seconds after which a request begins with no more of them.
_SECONDS = 10.0


def list_mappings(source_system: str | None, before: str | None) -> flask.Response:
    """Answer with all mappings, or those of one source."""
    after, parts = cursor(before), services()
    try:
        with parts.database.statements() as connection:
            rows = mappings.listed(connection, source_system, after=after)
    except NotFound:
        raise BadInput("query: the mapping that before names is gone; begin again") from None
    with parts.answers.room(len(rows) * ROW_BYTES):
        query, more = {"source_system": source_system}, len(rows) == mappings.MOST_LISTED
        return json_page(rows, event_schemas.mapping_text, query, more=more, name="id")


def set_mapping() -> flask.Response:
    """Make a mapping, or change it."""
    here, now = call.current(), clock.now()
    with services().database.transaction() as connection:
        row = mappings.put(
            connection,
            clock.new_uuid(now),
            source_system=here.body["source_system"],
            event_code=here.body["event_code"],
            canonical_code=here.body["canonical_code"],
            at=now,
            by=here.caller,
        )
        audited_of_person(connection, "set", "mapping", row["id"], _SET)
    return json_answer(event_schemas.mapping(row))


def get_mapping(mapping_id: str) -> flask.Response:
    """Answer with one mapping."""
    id_ = uuid_of(mapping_id, _UNKNOWN)
    with services().database.statements() as connection:
        row = mappings.get(connection, id_)
    return json_answer(event_schemas.mapping(row))


def delete_mapping(mapping_id: str) -> flask.Response:
    """Take a mapping away."""
    id_ = uuid_of(mapping_id, _UNKNOWN)
    with services().database.transaction() as connection:
        mappings.delete(connection, id_)
        audited_of_person(connection, "delete", "mapping", id_, _SET)
    return flask.Response(status=204)


def preview_mapping() -> flask.Response:
    """Answer what a mapping, or taking it away, would do to stored events."""
    body: dict[str, Any] = call.current().body
    meant = reprocess.meaning(
        services().intake().site,
        body["source_system"],
        body["event_code"],
        mapped="canonical_code" in body,
        canonical_code=body.get("canonical_code"),
    )
    with services().database.statements() as connection:
        found = meanings.preview(connection, meant)
    examples = [event_schemas.changing(row) for row in found.examples]
    return json_answer({"stored": found.stored, "changing": found.changing, "examples": examples})


def apply_mapping() -> flask.Response:
    """Give stored events the meaning their code has now."""
    body, database, changed = call.current().body, services().database, 0
    code = (services().intake().site, body["source_system"], body["event_code"])
    until = clock.monotonic() + _SECONDS
    while changed < _MOST_APPLIED and clock.monotonic() < until:
        with database.transaction() as connection:
            meant = reprocess.meaning_now(connection, *code)
            done = reprocess.apply(connection, meant, limit=_GROUP, at=clock.now())
            if done:
                audited_of_person(connection, "apply", "mapping", None, ("canonical_code",))
        changed += done
        if not done:
            break
    with database.statements() as connection:
        meant = reprocess.meaning_now(connection, *code)
        remaining = meanings.preview(connection, meant, examples=0).changing
    return json_answer({"changed": changed, "remaining": remaining})
