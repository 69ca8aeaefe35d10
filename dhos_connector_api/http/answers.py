"""Sending a whole answer in ASGI."""

from collections.abc import Mapping

from starlette.types import Send

JSON = "application/json"


async def send_answer(
    send: Send, status: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> None:
    """Send status, headers and body. Header names and values are Latin-1 texts."""
    raw = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    for name, value in (headers or {}).items():
        raw.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
