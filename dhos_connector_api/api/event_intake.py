"""Telling of events over HTTP: a body read, kept, and answered; once, where its caller can name it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any

import flask
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.api import event_schemas
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import BadInput, StorageUnavailable
from dhos_connector_api.events import idempotency, mappings
from dhos_connector_api.events.idempotency import Answer
from dhos_connector_api.events.mappings import Mappings
from dhos_connector_api.http import call
from dhos_connector_api.http.answers import JSON
from dhos_connector_api.intake import receive_event, receive_events
from dhos_connector_api.intake.receive_event import INVALID, Circumstances
from dhos_connector_api.intake.receive_events import Tally
from dhos_connector_api.spec.bodies import JsonBody, parse
from dhos_connector_api.spec.long_list import ListBody

MOST_EVENTS = 10_000
_MOST_KEY_CHARACTERS = 255
_OK, _CREATED = 200, 201


def tell_one(defaults: Mapping[str, Any]) -> flask.Response:
    """Keep the event of the request at hand; `defaults` fill in what its body does not say."""
    raw = flask.request.get_data()
    body = {**defaults, **checked(raw, _check())}
    here, request = circumstances(), repeatable_request(raw)
    if request is None:
        with services().database.statements() as connection:
            given, new = _keep_one(connection, body, raw, here)
    else:
        with services().database.transaction() as connection:
            held = idempotency.claim(connection, request, clock.new_uuid(clock.now()), at=clock.now())
            if isinstance(held, Answer):
                return answered(held)
            given, new = _keep_one(connection, body, raw, here)
            idempotency.answer(connection, request, given)
    receive_event.count(new=new, duplicates=1 - new)
    return answered(given)


def _keep_one(
    connection: Connection, body: dict[str, Any], raw: bytes, here: Circumstances
) -> tuple[Answer, int]:
    """What to answer, and how many events are new: 1 or 0."""
    here = replace(here, mappings=mappings.load(connection, {body["source_system"]}))
    event = receive_event.understand(body, raw, here, None)
    new = receive_event.keep(connection, [event])
    row = receive_event.event_row(event) if new else receive_event.known(connection, event)
    return Answer(_CREATED if new else _OK, json.dumps(event_schemas.event_answer(row)).encode()), len(new)


def tell_many() -> flask.Response:
    """Keep the events of the request at hand, in groups."""
    raw = flask.request.get_data()
    texts = ListBody(raw, "events", MOST_EVENTS)
    check = _check().inside("properties", "events", "items")
    many = receive_events.Request(texts, lambda text: checked(text, check), circumstances(), None)
    request = repeatable_request(raw)
    if request is None:
        return answered(_keep_many(many))
    with services().database.transaction() as connection:
        held = idempotency.claim(connection, request, clock.new_uuid(clock.now()), at=clock.now())
    if isinstance(held, Answer):
        return answered(held)
    try:
        given = _keep_many(replace(many, claim=held))
        with services().database.transaction() as connection:
            idempotency.answer(connection, request, given)
    except Exception:  # whatever it is: the same request may come again at once
        with suppress(StorageUnavailable), services().database.transaction() as connection:
            idempotency.release(connection, request, at=clock.now())
        raise
    return answered(given)


def _keep_many(many: receive_events.Request) -> Answer:
    tally = Tally()
    try:
        for group in receive_events.groups(many):
            with services().database.statements() as connection:
                receive_events.keep_group(connection, many, group, tally)
    finally:  # what is kept is kept, also where a later group fails
        receive_event.count(new=tally.new, duplicates=tally.duplicates, invalid=len(tally.errors))
    return Answer(_CREATED, json.dumps(tally.shown()).encode())


def _check() -> JsonBody:
    check = call.current().check
    if check is None:
        raise LookupError("the specification does not leave this body to its handler")
    return check


def checked(raw: bytes, check: JsonBody) -> dict[str, Any]:
    """The value of a JSON text that fits. Raises BadInput with what does not, by field."""
    if not raw:
        raise BadInput("the request needs a body")
    value = parse(raw)
    faults = check.faults(value)
    if faults:
        raise BadInput(INVALID, faults)
    found: dict[str, Any] = value
    return found


def circumstances() -> Circumstances:
    """What the events of the request at hand share, but for the mappings. Raises SiteUnavailable."""
    here, zone = call.current(), services().intake().zone
    return Circumstances(here.source, here.caller, here.request_id, zone, Mappings({}))


def repeatable_request(raw: bytes) -> idempotency.Request | None:
    """The request at hand as its `Idempotency-Key` names it; None where it has none. Raises BadInput.

    A key is its caller's own: that of the source, or of the token's issuer and caller.
    """
    key = flask.request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 0 < len(key) <= _MOST_KEY_CHARACTERS:
        wanted = f"must have 1 to {_MOST_KEY_CHARACTERS} characters"
        raise BadInput("the Idempotency-Key cannot be used", {"Idempotency-Key": [wanted]})
    here = call.current()
    issuer = here.claims.issuer if here.claims else ""
    owner = f"source\0{here.source.lower()}" if here.source else f"token\0{issuer}\0{here.caller}"
    named = "\0".join((owner, str(here.checked), key))
    return idempotency.Request(sha256(named.encode()).digest(), sha256(raw).digest())


def answered(given: Answer) -> flask.Response:
    """That answer, the first time and every other."""
    return flask.Response(given.body, given.status, content_type=JSON)
