"""One HTTP request to a configured address, with one deadline for all of it.

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
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from urllib.parse import SplitResult, urlsplit

from dhos_connector_api import clock, tls
from dhos_connector_api.deliveries.rules.outcome import CONNECT_SECONDS, LARGEST_ANSWER, DeliveryFailed, Kind

#: Seconds; who asks for a longer pause gets this one.
LONGEST_RETRY_AFTER = 24 * 3600.0
#: Statuses below 500 that pass by themselves.
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_LEAST_SECONDS = 0.001  # 0 would mean: do not wait at all


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
) -> Reply:
    """Send one request and read its answer, whatever its status, within so many seconds.

    The time includes connecting, but not the look-up of the name. An answer before the whole body was
    taken counts. Raises DeliveryFailed: TRANSIENT while nothing was sent, AMBIGUOUS once something was.
    """
    until = clock.monotonic() + seconds
    connection = _connection(address(url))
    try:
        try:
            opened = _opened(connection, seconds)
        except (OSError, ValueError) as error:
            raise DeliveryFailed(Kind.TRANSIENT, f"no connection ({_cause(error)})") from None
        with _deadline(opened, until - clock.monotonic()) as expired:
            _shake_hands(opened)
            try:
                reply = _exchange(connection, method, _target(url), headers, body)
                if expired.is_set():  # what ends with the connection looks whole when we have cut it
                    raise TimeoutError
            except (OSError, HTTPException, ValueError) as error:
                cause = "TimeoutError" if expired.is_set() else _cause(error)
                raise DeliveryFailed(Kind.AMBIGUOUS, f"sent, but not answered ({cause})") from None
            return reply
    finally:
        connection.close()


def refusal(reply: Reply, now: datetime) -> DeliveryFailed:
    """Return the failure that an answer other than 2xx means.

    500 and above, 408 and 429 pass by themselves; every other one is a refusal, redirects too: where
    a message goes is for the settings to say. `now` is aware, for a Retry-After that is a date.
    """
    passes = reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status in _PASSING
    return DeliveryFailed(
        Kind.TRANSIENT if passes else Kind.PERMANENT,
        f"answered with HTTP status {reply.status}",
        http_status=reply.status,
        retry_after=_retry_after(reply.headers.get("retry-after", ""), now) if passes else None,
    )


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return tls.client_context()


def _connection(parts: SplitResult) -> HTTPConnection:
    """One that is still to be opened."""
    host = str(parts.hostname)
    if parts.scheme == "https":
        return HTTPSConnection(host, parts.port or 443, context=_tls())
    return HTTPConnection(host, parts.port or 80)


def _opened(connection: HTTPConnection, seconds: float) -> socket.socket:
    """The connection's socket, connected; TLS has not begun: it too has to keep the deadline."""
    if seconds <= 0:
        raise TimeoutError
    where = connection.host, connection.port
    opened = socket.create_connection(where, min(CONNECT_SECONDS, seconds))
    connection.sock = opened
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if isinstance(connection, HTTPSConnection):
        opened = _tls().wrap_socket(opened, server_hostname=connection.host, do_handshake_on_connect=False)
        connection.sock = opened
    return opened


def _shake_hands(opened: socket.socket) -> None:
    """Agree on TLS. Raises DeliveryFailed, TRANSIENT: nothing of ours has been sent."""
    if not isinstance(opened, ssl.SSLSocket):
        return
    try:
        opened.do_handshake()
    except (OSError, ValueError) as error:
        raise DeliveryFailed(Kind.TRANSIENT, f"no connection ({_cause(error)})") from None


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _exchange(
    connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes | None
) -> Reply:
    # Who refuses a body before it has all of it hangs up on the rest, and may have said why.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, target, body, dict(headers))
    return _reply(connection)


def _reply(connection: HTTPConnection) -> Reply:
    with connection.getresponse() as answer:
        while answer.status < HTTPStatus.OK:  # provisional (RFC 9110 section 15.2): the answer follows
            answer.headers = answer.msg = None  # type: ignore[assignment]  # else begin() does nothing
            answer.begin()
        body = answer.read(LARGEST_ANSWER + 1)
        if len(body) > LARGEST_ANSWER:
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


def _cause(error: Exception) -> str:
    return type(error).__name__


def _retry_after(value: str, now: datetime) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3); None where there is none to be read."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_RETRY_AFTER)
