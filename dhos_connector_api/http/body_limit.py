"""The whole body, read before anything else happens, and never more of it than MAX_BODY_BYTES."""

import asyncio

from starlette.types import Message, Receive

from dhos_connector_api.errors import BodyTooLarge
from dhos_connector_api.http.headers import RequestHeaders

#: Of a body that is too long this much is read and dropped, because an ordinary client reads the
#: answer only after it has sent everything; and for so many seconds.
DISCARD_BYTES = 100_000_000
DISCARD_SECONDS = 30


async def whole_body(headers: RequestHeaders, receive: Receive, most_bytes: int) -> bytes | None:
    """Return the body; None where the client left before its end: half a message is no message.

    Raises BodyTooLarge.
    """
    declared = headers.length
    if declared > most_bytes and headers.asks_first:
        raise _too_large(most_bytes)  # the client waits for our word before it sends anything
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > most_bytes or declared > most_bytes:
            chunks.clear()
            await _discard(receive, message, size)
            raise _too_large(most_bytes)
        if not message.get("more_body"):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


def _too_large(most_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is longer than {most_bytes} bytes")


async def _discard(receive: Receive, message: Message, size: int) -> None:
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while message.get("more_body") and size <= DISCARD_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
    except TimeoutError:
        pass


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return an ASGI `receive` that gives the body in one piece, and afterwards what the server says."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_
