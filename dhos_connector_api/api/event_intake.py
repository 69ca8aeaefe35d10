"""Taking events, for the tag `events`: a body read, kept, and answered, once."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

import flask

from dhos_connector_api.api import event_schemas
from dhos_connector_api.api.services import services
from dhos_connector_api.auth.jwt import SYSTEM
from dhos_connector_api.errors import BadInput
from dhos_connector_api.events import idempotency
from dhos_connector_api.events.idempotency import Answer
from dhos_connector_api.http import call
from dhos_connector_api.http.answers import JSON
from dhos_connector_api.intake.arrival import Door, Outcome, Receipt
from dhos_connector_api.intake.bulk import take_events
from dhos_connector_api.intake.once import do_once, take_once
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.spec.bodies import JsonBody
from dhos_connector_api.spec.long_list import ListBody

MOST_EVENTS = 10_000
_KEY = re.compile(r"[ -~]{1,255}")
_OK, _CREATED = 200, 201


def post_one(defaults: Mapping[str, Any]) -> flask.Response:
    """Keep the event of the request at hand; `defaults` fill in what its body does not say."""
    here, parts = call.current(), services()
    door = Door(name=here.door_name, source=here.source, check=_check(), defaults=defaults)
    arrival = call.arrival(Kind.EVENT, door=door)
    given = take_once(
        arrival, parts.intake(), parts.database, lambda: repeatable_request(arrival.raw), _answer
    )
    return answered(given)


def _answer(receipt: Receipt) -> Answer:
    """Return the answer; raises what stands in the receipt as its `error`."""
    if receipt.error is not None:
        raise receipt.error
    status = _OK if receipt.outcome is Outcome.REPEATED else _CREATED
    return Answer(status, json.dumps(event_schemas.event_answer(receipt.answer)).encode())


def post_many() -> flask.Response:
    """Keep the events of the request at hand, in groups."""
    parts, raw = services(), flask.request.get_data()
    texts = ListBody(raw, "events", MOST_EVENTS)
    intake = parts.intake()

    def work(claim: UUID | None = None) -> Answer:
        here = call.current()
        check = _check().inside("properties", "events", "items")
        door = Door(name=here.door_name, source=here.source, check=check)
        tally = take_events(
            texts,
            intake,
            parts.database,
            caller=here.caller,
            correlation_id=here.request_id,
            door=door,
            claim=claim,
        )
        return Answer(_CREATED, json.dumps(tally.shown()).encode())

    request = repeatable_request(raw)
    return answered(work() if request is None else do_once(parts.database, request, work))


def _check() -> JsonBody:
    check = call.current().check
    if check is None:
        raise LookupError("the specification does not leave this body to its handler")
    return check


def repeatable_request(raw: bytes) -> idempotency.Request | None:
    """Return the request at hand as its `Idempotency-Key` names it; None where it has none. Raises BadInput.

    A key is its caller's own, and the operation's. No part of what is hashed can hold a NUL.
    """
    key = flask.request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise _unusable("must have 1 to 255 characters, all of them printable ASCII")
    here = call.current()
    named = "\0".join((*_owner(here), str(here.checked), key))
    return idempotency.Request(sha256(named.encode()).digest(), sha256(raw).digest())


def _owner(here: call.Call) -> tuple[str, ...]:
    """Return whose keys these are: a source's, a person's, or a token's by issuer, kind and name of caller.

    Systems, which are nearly all, have no kind here, as ever: so builds that knew no kinds know their keys.
    Raises BadInput for a token that names no caller: its keys would be those of all that name none.
    """
    if here.source is not None:
        return ("source", here.source.lower())
    if here.person is not None:
        return ("person", str(here.person.id))
    claims = here.claims
    if claims is None or claims.caller is None or claims.caller_kind is None:
        raise _unusable("needs a token that names its caller: metadata.system_id")
    kind = () if claims.caller_kind == SYSTEM else (claims.caller_kind,)
    return ("token", claims.issuer, *kind, claims.caller)


def _unusable(why: str) -> BadInput:
    return BadInput("the Idempotency-Key cannot be used", {"Idempotency-Key": [why]})


def answered(given: Answer) -> flask.Response:
    """Return that answer as Flask sends it, the first time and every other."""
    return flask.Response(given.body, given.status, content_type=JSON)
