"""One HTTP connection: uvicorn's, with bounds on what it may send and how long it may take.

uvicorn has none of them with httptools: a header may have any length, a body any time. The parser is fed by
the piece as it comes from the socket, at most some 256 kB, so what is counted before and after each piece is
refused before it is held. What counts as read: RFC 9112; 408, 414, 431: RFC 9110 and RFC 6585.
"""

import asyncio
import json
import math
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from dhos_connector_api.http.answers import JSON
from dhos_connector_api.http.leaving import Leaving
from dhos_connector_api.http.open_connections import OpenConnections

#: Bytes of the request line's target; of names and values of all headers together; and how many headers.
MOST_TARGET, MOST_HEADERS, MOST_FIELDS = 8_192, 32_768, 100
#: Requests that may wait on one connection for the answer to the one before (pipelining).
MOST_PIPELINED = 16
#: Bytes that may go over the wire for a body in chunks: so many times the body, and so many more.
CHUNK_OVERHEAD, CHUNK_FREE = 2, 65_536
#: Of a body whose request is answered already this much is read and dropped, because an ordinary client reads
#: the answer only after it has sent everything.
MOST_DROPPED = 100_000_000
#: Seconds a client has to read why it was refused, before it is cut off.
LINGER = 2.0
#: Where the scope of a request has the cycle that knows whether its client is still there.
CYCLE = "connector.cycle"

#: Headers that say how long a body is.
_FRAMING = (b"content-length", b"transfer-encoding")

_REASONS = {
    HTTPStatus.BAD_REQUEST: "not HTTP",
    HTTPStatus.REQUEST_TIMEOUT: "too slow",
    HTTPStatus.REQUEST_URI_TOO_LONG: "address too long",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "headers too long",
}
_TEXTS = {
    HTTPStatus.BAD_REQUEST: "the request cannot be read",
    HTTPStatus.REQUEST_TIMEOUT: "the request did not arrive in time",
    HTTPStatus.REQUEST_URI_TOO_LONG: "the address is too long",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "the headers are too long, or too many",
}


class _Refused(Exception):
    """Raised in a callback of the parser, which stops it: the request is refused with that status."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class BoundedConnection(HttpToolsProtocol):
    """A connection within `limits` of all `connections` of the process; given to uvicorn by a partial."""

    def __init__(self, connections: OpenConnections, leaving: Leaving, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self._leaving = leaving
        self._limits = connections.limits
        self.address = ""
        self.deadline = math.inf
        self.unread_since: float | None = None
        self._in_head = self._in_body = self._ending = False
        self._begun = 0  # requests that began in the piece that is read
        self._wishes = False  # this request asks for another protocol, and its parser goes no further
        self._resumes = False  # another parser is told what this request's body is like
        self._head = self._head_wire = self._fields = 0  # of this request's headers: bytes, number
        self._body = self._body_wire = self._dropped = 0  # bytes of its body, without and with chunks' own

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.address = self.client[0] if self.client else ""
        self.deadline = self.loop.time() + self._limits.headers
        self._connections.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.leave(self)
        self.deadline = math.inf
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        self._unset_keepalive_if_required()
        was_in_head, was_in_body = self._in_head, self._in_body
        self._begun = 0
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.status if isinstance(cause, _Refused) else HTTPStatus.BAD_REQUEST)
        else:
            if self._begun == 0 or (self._begun == 1 and not (was_in_head or was_in_body)):
                self._measure(len(data), was_in_body=was_in_body)  # all of it is of one request
            if self._begun and self._in_body:
                self._leave_the_body_for_later()

    def _feed(self, data: bytes) -> None:
        """Feed the parser; a wish for another protocol is ignored (RFC 9110 section 7.8).

        The parser ends such a request with its headers. The body is read by another one.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._resume()
            else:
                return

    def _resume(self) -> None:
        """Go on with a parser that knows nothing of the wish, behind the headers."""
        self._wishes = False
        self.parser = httptools.HttpRequestParser(self)
        framing = [b"%b: %b\r\n" % each for each in self.headers if each[0] in _FRAMING]
        if framing:
            self._resumes = True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
            self._resumes = False

    def _leave_the_body_for_later(self) -> None:
        """Read no more until somebody asks for the body: who may send it is not known yet."""
        cycle: RequestResponseCycle = self.cycle
        if not (cycle.response_complete or self.pipeline):
            self.flow.pause_reading()

    def _measure(self, size: int, *, was_in_body: bool) -> None:
        """Refuse headers that go on too long, and chunks that are mostly their own overhead."""
        if self._in_head and not was_in_body:
            self._head_wire += size
            if self._head_wire > MOST_HEADERS + MOST_TARGET:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._in_body and was_in_body:
            self._body_wire += size
            if self._body_wire > CHUNK_OVERHEAD * self._body + CHUNK_FREE:
                self._refuse(HTTPStatus.BAD_REQUEST)

    def on_message_begin(self) -> None:
        if self._resumes:
            return
        super().on_message_begin()
        self._begun += 1
        self._in_head, self._in_body = True, False
        self._head = self._head_wire = self._fields = 0
        self._body = self._body_wire = self._dropped = 0
        if len(self.pipeline) >= MOST_PIPELINED:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        self.deadline = self.loop.time() + self._limits.headers

    def on_url(self, url: bytes) -> None:
        if self._resumes:
            return
        super().on_url(url)
        if len(self.url) > MOST_TARGET:
            raise _Refused(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._resumes:
            return
        self._fields += 1
        self._head += len(name) + len(value)
        if self._fields > MOST_FIELDS or self._head > MOST_HEADERS:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if self._in_head:  # a trailer is none of the headers (RFC 9110 section 6.5.1)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._resumes:
            return
        super().on_headers_complete()
        self._wishes = self.parser.should_upgrade() and any(each[0] in _FRAMING for each in self.headers)
        self._in_head, self._in_body = False, True
        self._connections.busy(self)
        self.deadline = self.loop.time() + self._limits.body
        self.scope["extensions"] = {CYCLE: self.cycle}  # type: ignore[dict-item]
        if self._leaving.has_begun:
            self.cycle.keep_alive = False
        if self.expect_100_continue:
            # Answered without its 100, the client may send its body or leave it: what comes next is unknown.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        if self.cycle.response_complete:
            self._dropped += len(body)
            if self._dropped > MOST_DROPPED:
                raise _Refused(HTTPStatus.BAD_REQUEST)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._wishes:
            return
        super().on_message_complete()
        self._in_body = False
        self.deadline = math.inf
        if self.cycle.response_complete:
            self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline or self._in_head or not self.cycle.response_complete:
            return
        if self._in_body:  # answered before its body was there, which is dropped, and may never come
            self._connections.idle(self)
            self.deadline = min(self.deadline, self.loop.time() + self._limits.headers)
        else:
            self._rest()

    def _rest(self) -> None:
        """Between two requests; uvicorn's own timer ends what rests for too long, if its answer was read."""
        self._connections.idle(self)
        self.deadline = self.loop.time() + self._limits.idle + self._limits.answer

    def unread(self) -> int:
        """Return the bytes of answers that the client has not taken yet."""
        return int(self.transport.get_write_buffer_size())

    def overdue(self) -> None:
        """End the connection, whose deadline has passed; a client that has begun a request is told so."""
        if self._ending:
            self.transport.abort()
        elif self._in_head or self._in_body:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.end("silent")

    def end(self, reason: str) -> None:
        """Cut the connection off at once."""
        self._connections.ended(reason)
        self._ending = True
        self.transport.abort()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer that, give the client a moment to read it, and take nothing more from it.

        While another answer is under way, or there was one to this request, there is no place for this one.
        """
        self._connections.ended(_REASONS[status])
        self._ending = True
        answerable = self._is_answerable()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not answerable or self.transport.is_closing():
            self.transport.abort()
            return
        content = json.dumps({"code": status.value, "message": _TEXTS[status]}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {JSON}\r\n"
            f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.deadline = self.loop.time() + LINGER
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _is_answerable(self) -> bool:
        """Return whether the request that is being read could be answered now."""
        if self.pipeline:
            return False
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None:
            return True
        return not cycle.response_started if self._in_body else cycle.response_complete
