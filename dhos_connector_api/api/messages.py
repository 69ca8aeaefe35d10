"""HL7 v2 messages over HTTP: in, marked as processed, looked at."""

import base64
import binascii
import codecs
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flask
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.api import batches, schemas
from dhos_connector_api.api.px.audited import audited_of_person
from dhos_connector_api.api.services import services
from dhos_connector_api.api.taking import taken
from dhos_connector_api.db.within_bytes import Bound
from dhos_connector_api.errors import BadInput, NotFound
from dhos_connector_api.hl7v2.identifiers import sought
from dhos_connector_api.http import call
from dhos_connector_api.http.answers import JSON
from dhos_connector_api.http.large_answers import SMALL
from dhos_connector_api.http.paging import cursor, json_answer, json_page, uuid_of
from dhos_connector_api.intake.arrival import Door, Receipt
from dhos_connector_api.intake.hl7 import Acknowledgement
from dhos_connector_api.messages import search, store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.messages.search import Page
from dhos_connector_api.messages.views import CONTENT, WHOLE

#: Names of character sets in HTTP (IANA) where Python's differ.
_IANA = (("iso8859-", "iso-8859-"), ("cp125", "windows-125"), ("ascii", "us-ascii"))
_UNKNOWN = "there is no message with that uuid"
#: What lists show, by the parameter `fields`.
_SHOWN = {None: CONTENT, "body": WHOLE}


def post_message() -> flask.Response:
    """Receive one message, as JSON with base64 or raw, or a batch of them, and answer in kind."""
    if flask.request.mimetype == batches.MEDIA_TYPE:
        return batches.post_batch()
    here = call.current()
    if here.body is not None:
        return _receive(decoded(here.body["body"]), Door(name=here.door_name), _json_answer)
    door = Door(name=here.door_name, charset=call.named_charset())
    return _receive(flask.request.get_data(), door, partial(_raw_answer, flask.request.mimetype))


def _receive(raw: bytes, door: Door, answer: Callable[[Receipt], flask.Response]) -> flask.Response:
    if not raw:
        raise BadInput("the request needs a message")
    return taken(call.arrival(Kind.HL7, raw, door=door), answer)


def _raw_answer(media_type: str, receipt: Receipt) -> flask.Response:
    ack: Acknowledgement = receipt.answer
    content_type = f"{media_type}; charset={iana_name(ack.charset or 'utf-8')}"
    return flask.Response(ack.content, content_type=content_type)


def _json_answer(receipt: Receipt) -> flask.Response:
    content = base64.b64encode(receipt.answer.content).decode("ascii")
    return json_answer({"uuid": str(receipt.uuid), "type": "HL7v2", "body": content})


def decoded(text: str) -> bytes:
    """Return the bytes of a base64 text (RFC 4648 section 4); line breaks and spaces are left out.

    Raises BadInput for any other character, and for padding that is missing or too much.
    """
    try:
        given = text.encode("ascii").translate(None, b" \t\r\n")
        raw = binascii.a2b_base64(given)
    except (UnicodeEncodeError, binascii.Error):
        raise BadInput("body.body: is not base64") from None
    if binascii.b2a_base64(raw, newline=False) != given:
        raise BadInput("body.body: is not base64")
    return raw


def iana_name(charset: str) -> str:
    """Return the name HTTP knows a Python codec by."""
    name = codecs.lookup(charset).name
    for ours, theirs in _IANA:
        if name.startswith(ours):
            return name.replace(ours, theirs, 1)
    return name


def get_message(message_uuid: str) -> flask.Response:
    """Answer with one message."""
    uuid, parts = uuid_of(message_uuid, _UNKNOWN), services()
    with parts.database.statements() as connection:
        size = store.size(connection, uuid)
    with parts.answers.room(size):
        with parts.database.statements() as connection:
            row = store.get(connection, uuid)
        if row is None:
            raise NotFound(_UNKNOWN)
        return flask.Response(schemas.message(row), content_type=JSON)


def mark_message_processed(message_uuid: str) -> flask.Response:
    """Note that the platform has applied a message. The specification lets only `true` through."""
    uuid = uuid_of(message_uuid, _UNKNOWN)
    with services().database.transaction() as connection:
        known = store.mark_processed(connection, uuid, by=call.current().caller, at=clock.now())
        if not known:
            raise NotFound(_UNKNOWN)
        audited_of_person(connection, "mark_processed", "message", uuid, ("is_processed",))
    return flask.Response(status=204)


def search_messages_by_control_id(
    message_control_id: str, fields: str | None, limit: int, before: str | None
) -> flask.Response:
    """Answer with the messages with that MSH-10, newest first."""
    after = cursor(before)

    def found(connection: Connection, **shown: Any) -> Page:
        return search.by_control_id(connection, message_control_id, limit=limit, before=after, **shown)

    return _page(found, schemas.message, {"limit": limit}, fields)


def search_messages_by_identifier(
    identifier_type: str, identifier: str, fields: str | None, limit: int, before: str | None
) -> flask.Response:
    """Answer with the messages of that patient or visit, newest first."""
    asked = {"identifier_type": identifier_type, "identifier": identifier}
    after = cursor(before)

    def found(connection: Connection, **shown: Any) -> Page:
        return search.by_identifier(
            connection, identifier_type, identifier, limit=limit, before=after, **shown
        )

    def show(row: Mapping[Any, Any]) -> bytes:
        return schemas.found_message(row, identifier_type, sought(identifier_type, identifier))

    return _page(found, show, {**asked, "limit": limit}, fields)


def _page(
    found: Callable[..., Page],
    show: Callable[[Mapping[Any, Any]], bytes],
    query: Mapping[str, Any],
    fields: str | None,
) -> flask.Response:
    """Answer with a page; one that is large is read when there is room for it."""
    shown, parts = _SHOWN[fields], services()
    with parts.database.statements() as connection:
        page = found(connection, shown=shown, bound=Bound(SMALL, 0))
        whole = len(page.rows) == query["limit"] or (page.rows and not page.more)
        size = 0 if whole else found(connection, shown=shown.only_size).bytes
    with parts.answers.room(size):
        if size:
            with parts.database.statements() as connection:
                page = found(connection, shown=shown)
        return json_page(page.rows, show, {**query, "fields": fields}, more=page.more)
