"""An attacker for the measurements: sockets that waste what a service has.

`python -m benchmarks.attacker "KIND PORT"`. It comes from several addresses of this machine, 127.0.1.1 and
up, so that no limit of connections for each peer ends it, and connects again a second after it was cut off.
Bodies are sent with the TOKEN of the environment, where there is one.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable

import uvloop

_ADDRESSES = 20
_PAUSE = 1.0
_PATH = b"POST /dhos/v1/message HTTP/1.1\r\nHost: attacked.invalid\r\n"
_TEN_MEGABYTES = 10_000_000
_PIECE = b"x" * 100_000

Bytes = Callable[[], AsyncIterator[bytes]]


async def _silent() -> AsyncIterator[bytes]:
    """Nothing, for ever."""
    await asyncio.Event().wait()
    yield b""


async def _slow() -> AsyncIterator[bytes]:
    """A request whose headers come a byte each second."""
    yield _PATH + b"X-Slow: "
    while True:
        await asyncio.sleep(1)
        yield b"x"


async def _headers() -> AsyncIterator[bytes]:
    """A request whose headers have no end; 4 MB of them a second."""
    yield _PATH
    while True:
        for _ in range(40):
            yield b"X-Long: " + _PIECE + b"\r\n"
        await asyncio.sleep(1)


async def _bodies() -> AsyncIterator[bytes]:
    """A body of 10 MB of which the last part never comes."""
    token = os.environ.get("TOKEN")
    yield _PATH + (b"Authorization: Bearer " + token.encode() + b"\r\n" if token else b"")
    yield b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % _TEN_MEGABYTES
    for _ in range(_TEN_MEGABYTES // len(_PIECE) - 1):
        yield _PIECE
    await asyncio.Event().wait()


async def _owing() -> AsyncIterator[bytes]:
    """A request that is refused at once, and owes its body for ever."""
    yield _PATH + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % _TEN_MEGABYTES
    await asyncio.Event().wait()


#: What each kind sends on a connection, and how many connections it has.
_KINDS: dict[str, tuple[Bytes, int]] = {
    "silent": (_silent, 1000),
    "slow": (_slow, 1000),
    "headers": (_headers, 20),
    "owing": (_owing, 5000),
    "bodies": (_bodies, 100),
    "owned": (_bodies, 100),
}


async def _connection(number: int, port: int, kind: Bytes) -> None:
    """One of the attacker's connections, made again and again."""
    address = (f"127.0.1.{1 + number % _ADDRESSES}", 0)
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=address)
            sending = asyncio.create_task(_send(writer, kind))
            await reader.read()  # until we are cut off
            sending.cancel()
            writer.close()
        except OSError:
            pass
        await asyncio.sleep(_PAUSE)


async def _send(writer: asyncio.StreamWriter, kind: Bytes) -> None:
    try:
        async for piece in kind():
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass


async def _attack(kind: str, port: int) -> None:
    pieces, connections = _KINDS[kind]
    await asyncio.gather(*(_connection(number, port, pieces) for number in range(connections)))


if __name__ == "__main__":
    what, where = sys.argv[1].split()
    uvloop.run(_attack(what, int(where)))
