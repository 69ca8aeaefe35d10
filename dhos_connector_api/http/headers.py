"""A request's headers, looked through once, for all that has to be known of them before its body."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dhos_connector_api import clock

#: What may be taken over as a request's id: it goes into AMQP short strings, headers and logs.
_ACCEPTABLE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
#: Content-Length is read to so many digits; more of them are too long a body in any case.
_MOST_DIGITS = 20
_NOTED = frozenset(
    (b"content-encoding", b"content-length", b"content-type", b"transfer-encoding", b"x-request-id")
)

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class RequestHeaders:
    """The facts read from a request's headers. `others` are those that what comes after gets as they are.

    `request_id` is the sender's X-Request-ID if it is a usable one, otherwise a new one. `length` is the
    Content-Length, 0 where there is none; `coding` the Content-Encoding in lower case, as far as it changes
    anything.
    """

    others: Headers
    request_id: str = ""
    content_type: bytes = b""
    length: int = 0
    coding: bytes = b""


def read(given: Iterable[tuple[bytes, bytes]]) -> RequestHeaders:
    """Return what the headers say. Names are in lower case, as ASGI gives them."""
    others: Headers = []
    found = RequestHeaders(others)
    for pair in given:
        if pair[0] in _NOTED:
            _note(found, *pair)
        else:
            others.append(pair)
    if not found.request_id:
        found.request_id = clock.new_uuid(clock.now()).hex
    return found


def _note(found: RequestHeaders, name: bytes, value: bytes) -> None:
    if name == b"content-type":
        found.content_type = found.content_type or value
    elif name == b"content-length":
        if not found.length and value.isdigit():
            found.length = int(value[:_MOST_DIGITS])
    elif name == b"content-encoding":
        added = value.strip(b" \t,").lower()
        if added not in (b"", b"identity"):
            found.coding = b", ".join((found.coding, added)) if found.coding else added
    elif name == b"x-request-id":
        found.others.append((name, value))
        if not found.request_id and _ACCEPTABLE_ID.fullmatch(value):
            found.request_id = value.decode("ascii")


def of_body(found: RequestHeaders, *, expected: bool) -> Headers:
    """Return the headers with one Content-Type at their end, its media type in lower case.

    `expected`: the method has a body, be it empty; else there is none. A body without a Content-Type is
    `application/octet-stream` (RFC 9110 section 8.3). The body's true length is known once it is read.
    """
    headers = found.others
    if expected:
        media_type, semicolon, parameters = found.content_type.partition(b";")
        media_type = media_type.strip().lower() or b"application/octet-stream"
        headers.append((b"content-type", media_type + semicolon + parameters))
    return headers
