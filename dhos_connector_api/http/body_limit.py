"""The whole body, read before anything else happens, and never more of it than MAX_BODY_BYTES.

What comes after finds one body in memory, its true Content-Length, and a Content-Type: chunked
bodies and headers that lie are dealt with here.
"""

import asyncio
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dhos_connector_api.errors import BodyTooLarge

#: Of a body that is too long this much is read and dropped, because an ordinary client reads the
#: answer only after it has sent everything; and for so many seconds.
DISCARD_BYTES = 100_000_000
DISCARD_SECONDS = 30
_WITH_BODY = ("POST", "PUT", "PATCH")
_REPLACED = (b"content-length", b"content-type", b"transfer-encoding", b"expect")
Headers = list[tuple[bytes, bytes]]


class WholeBody:
    """ASGI: hands on requests whose body is complete. Raises BodyTooLarge."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await self._read(scope["headers"], receive)
        if body is None:  # the client left in between; half a message is no message
            return
        headers = _headers(scope["headers"], len(body), expected=scope["method"] in _WITH_BODY)
        await self._app({**scope, "headers": headers}, replayed(body, receive), send)

    async def _read(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> bytes | None:
        declared = _declared_length(headers)
        if declared > self._most and any(name == b"expect" for name, _ in headers):
            raise self._too_large()  # the client waits for our word before it sends anything
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if max(size, declared) > self._most:
                chunks.clear()
                await self._discard(receive, message, size)
                raise self._too_large()
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is longer than {self._most} bytes")

    @staticmethod
    async def _discard(receive: Receive, message: Message, size: int) -> None:
        try:
            async with asyncio.timeout(DISCARD_SECONDS):
                while message.get("more_body") and size <= DISCARD_BYTES:
                    message = await receive()
                    size += len(message.get("body", b""))
        except TimeoutError:
            pass


def replayed(body: bytes, receive: Receive) -> Receive:
    """An ASGI `receive` that gives the body in one piece, and afterwards what the server says."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_


def _declared_length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _headers(given: Iterable[tuple[bytes, bytes]], length: int, *, expected: bool) -> Headers:
    """The headers with the body's true length and one Content-Type, its media type in lower case.

    A body without a Content-Type is `application/octet-stream` (RFC 9110 section 8.3).
    """
    kept: Headers = []
    content_type = b""
    for name, value in given:
        if name == b"content-type":
            content_type = content_type or value
        if name not in _REPLACED:
            kept.append((name, value))
    if expected or length:
        media_type, semicolon, parameters = content_type.partition(b";")
        media_type = media_type.strip().lower() or b"application/octet-stream"
        kept.append((b"content-type", media_type + semicolon + parameters))
        kept.append((b"content-length", str(length).encode()))
    return kept
