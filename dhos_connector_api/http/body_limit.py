"""The whole body of a request, read once it is known who may send it; never more than there is room for."""

from starlette.types import Message, Receive

from dhos_connector_api.errors import BodyTooLarge, Overloaded, WrongCoding
from dhos_connector_api.http.call import Call
from dhos_connector_api.http.gzipped import Gunzip

_CODINGS = frozenset((b"", b"gzip", b"x-gzip"))
#: Bytes of each body that are not counted, so that large bodies keep no ordinary message out.
UNCOUNTED = 32_768


class BodyLimit:
    """The limits of one body, and of all bodies that a process holds at once until they are answered.

    A body is held for as long as its request is worked on; `release` gives its room back.
    """

    def __init__(self, most_bytes: int, most_held: int) -> None:
        self._most_bytes = most_bytes
        self._most_held = max(most_bytes, most_held)
        self.held = 0

    async def whole(self, here: Call, receive: Receive) -> bytes | None:
        """Return the body, unpacked; None where the client left before its end: half a message is no message.

        Raises WrongCoding and BadInput for what cannot be unpacked; BodyTooLarge; Overloaded while all bodies
        together are as much as may be held. What is packed counts by what comes out of it. The rest of a
        body that is refused is dropped by the connection, within bounds of its own.
        """
        if here.coding not in _CODINGS:
            raise WrongCoding("no Content-Encoding but gzip is taken")
        if here.length > self._most_bytes:
            raise self._too_large()
        unpacked = Gunzip() if here.coding else None
        chunks: list[bytes] = []
        size = arrived = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            chunk: bytes = message.get("body", b"")
            arrived += len(chunk)
            for piece in (chunk,) if unpacked is None else unpacked.pieces(chunk):
                size += len(piece)
                if max(size, arrived) > self._most_bytes:
                    raise self._too_large()
                self._hold(here, size - UNCOUNTED)
                chunks.append(piece)
            if not message.get("more_body"):
                if unpacked is not None:
                    unpacked.end()
                return b"".join(chunks) if len(chunks) != 1 else chunks[0]

    def release(self, here: Call) -> None:
        """Give back the room of that request's body; nothing happens where it has none."""
        self.held -= here.held
        here.held = 0

    def _hold(self, here: Call, size: int) -> None:
        more = size - here.held
        if more <= 0:
            return
        if self.held + more > self._most_held:
            raise Overloaded("too many long bodies at once; Retry-After says when to go on")
        self.held += more
        here.held = size

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is longer than {self._most_bytes} bytes")


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return an ASGI `receive` that gives the body in one piece, and afterwards what the server says."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_
