"""One HTTP request to a configured address, with one deadline and one size for all of its answer.

A connection of its own for every request: one that is kept open may be closed by the other side just
when it is used again, and then nobody knows whether the message was taken. No redirect is followed,
no proxy is asked, and nothing but the address is connected to.
"""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from urllib.parse import SplitResult, urlsplit

from dhos_connector_api import clock, tls
from dhos_connector_api.causes import Cause, cause_of_socket

#: Seconds to connect, and bytes of an answer, where the caller says nothing else.
CONNECT_SECONDS, LARGEST_ANSWER = 5.0, 1_000_000
_LEAST_SECONDS = 0.001  # 0 would mean: do not wait at all


class NotAnswered(Exception):
    """A request was not answered as a whole; `cause` names the error, `sent` whether anything was sent.

    `why` is that cause for people who look at a log.
    """

    def __init__(self, cause: str, *, sent: bool, why: Cause = Cause.OTHER) -> None:
        super().__init__(cause)
        self.cause = cause
        self.sent = sent
        self.why = why

    @classmethod
    def by(cls, error: Exception, *, sent: bool) -> "NotAnswered":
        """Return what an error of a socket, of TLS or of HTTP comes to; its text goes nowhere."""
        return cls(type(error).__name__, sent=sent, why=cause_of_socket(error) or Cause.OTHER)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP; `headers` by their lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def succeeded(self) -> bool:
        """Return whether it is 2xx (RFC 9110 section 15.3)."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def address(url: str) -> SplitResult:
    """Return the parts of an http or https URL. Raises ValueError for any other, or one without a host."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("must be an http or https address")
    return parts


def request(
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str],
    body: bytes | None = None,
    connect_seconds: float = CONNECT_SECONDS,
    largest_answer: int = LARGEST_ANSWER,
    context: ssl.SSLContext | None = None,
) -> Reply:
    """Send one request and read its answer, whatever its status, within so many seconds.

    The time includes connecting, but not the look-up of the name. An answer before the whole body was
    taken counts. `context` None: the authorities of this machine. Raises NotAnswered.
    """
    until = clock.monotonic() + seconds
    parts = address(url)
    secure = (context or _tls()) if parts.scheme == "https" else None
    connection = _connection(parts, secure)
    try:
        try:
            opened = _opened(connection, secure, min(connect_seconds, seconds))
        except (OSError, ValueError) as error:
            raise NotAnswered.by(error, sent=False) from None
        with _deadline(opened, until - clock.monotonic()) as expired:
            _shake_hands(opened)
            try:
                reply = _exchange(connection, method, _target(url), headers, body, largest_answer)
                if expired.is_set():  # what ends with the connection looks whole when we have cut it
                    raise TimeoutError
            except (OSError, HTTPException, ValueError) as error:
                raise NotAnswered.by(TimeoutError() if expired.is_set() else error, sent=True) from None
            return reply
    finally:
        connection.close()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return tls.client_context()


def _connection(parts: SplitResult, context: ssl.SSLContext | None) -> HTTPConnection:
    """One that is still to be opened."""
    host = str(parts.hostname)
    if context is not None:
        return HTTPSConnection(host, parts.port or 443, context=context)
    return HTTPConnection(host, parts.port or 80)


def _opened(connection: HTTPConnection, context: ssl.SSLContext | None, seconds: float) -> socket.socket:
    """The connection's socket, connected; TLS has not begun: it too has to keep the deadline."""
    if seconds <= 0:
        raise TimeoutError
    where = connection.host, connection.port
    opened = socket.create_connection(where, seconds)
    connection.sock = opened
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        opened = context.wrap_socket(opened, server_hostname=connection.host, do_handshake_on_connect=False)
        connection.sock = opened
    return opened


def _shake_hands(opened: socket.socket) -> None:
    """Agree on TLS. Raises NotAnswered: nothing of ours has been sent."""
    if not isinstance(opened, ssl.SSLSocket):
        return
    try:
        opened.do_handshake()
    except (OSError, ValueError) as error:
        raise NotAnswered.by(error, sent=False) from None


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _exchange(
    connection: HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | None,
    largest_answer: int,
) -> Reply:
    # Who refuses a body before it has all of it hangs up on the rest, and may have said why.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, target, body, dict(headers))
    return _reply(connection, largest_answer)


def _reply(connection: HTTPConnection, largest_answer: int) -> Reply:
    with connection.getresponse() as answer:
        while answer.status < HTTPStatus.OK:  # provisional (RFC 9110 section 15.2): the answer follows
            answer.headers = answer.msg = None  # type: ignore[assignment]  # else begin() does nothing
            answer.begin()
        body = answer.read(largest_answer + 1)
        if len(body) > largest_answer:
            raise HTTPException("the answer is too long")
        if answer.length:  # read() with a size does not mind that the rest is missing
            raise IncompleteRead(b"", answer.length)
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


@contextmanager
def _deadline(opened: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Cut the connection after so many seconds: a socket's own timeout begins anew with every byte.

    Gives an event that says whether that was done.
    """
    expired, seconds = threading.Event(), max(seconds, _LEAST_SECONDS)
    opened.settimeout(seconds)
    timer = threading.Timer(seconds, _cut, (opened, expired))
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        timer.join()  # so that it does not cut whoever gets the socket's number next


def _cut(opened: socket.socket, expired: threading.Event) -> None:
    expired.set()
    try:
        # Not SSLSocket's: it drops TLS first, and what is being sent would go on in the clear.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
