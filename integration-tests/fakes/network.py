"""A network between the Connector and RabbitMQ: a TCP proxy whose line can be cut and restored.

Run `python -m fakes.network`. NETWORK_LISTEN and NETWORK_TARGET are `host:port`; NETWORK_CONTROL is
the `host:port` where one line, `cut` or `restore`, is answered with `done`. While cut, open
connections are gone and new ones are refused, as when the broker is stopped.
"""

import asyncio
import os
from contextlib import suppress

_CHUNK = 65536


class Network:
    """The line between whoever connects to `listen` and `target`; both are (host, port)."""

    def __init__(self, listen: tuple[str, int], target: tuple[str, int]) -> None:
        self._listen = listen
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def restore(self) -> None:
        """Accept connections again."""
        if self._server is None:
            host, port = self._listen
            self._server = await asyncio.start_server(self._connected, host, port)

    async def cut(self) -> None:
        """Refuse new connections, then reset those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        if self._server is None:  # cut while the far end was being reached
            await self.cut()
        try:
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until one side ends, then end the other side too."""
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _obey(network: Network, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one control connection: one line in, one line out."""
    orders = {b"cut": network.cut, b"restore": network.restore}
    order = orders.get((await reader.readline()).strip())
    if order is not None:
        await order()
    writer.write(b"done\n" if order else b"unknown order\n")
    await writer.drain()
    writer.close()


def _address(name: str) -> tuple[str, int]:
    host, _, port = os.environ[name].rpartition(":")
    return host, int(port)


async def main() -> None:
    """Serve until the process is ended."""
    network = Network(_address("NETWORK_LISTEN"), _address("NETWORK_TARGET"))
    await network.restore()
    host, port = _address("NETWORK_CONTROL")
    control = await asyncio.start_server(lambda reader, writer: _obey(network, reader, writer), host, port)
    await control.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
