"""The network around the Connector: TCP proxies whose lines can be cut and restored, one by one.

Run `python -m fakes.network`. NETWORK_LINES names the lines, `name=listen=target` each, both ends
`host:port`, with spaces between. NETWORK_CONTROL is the `host:port` where one line of text, such as
`cut epr` or `restore epr`, is answered with `done`. While a line is cut, open connections are gone
and new ones are refused, as when what it leads to is stopped.
"""

import asyncio
import os
from contextlib import suppress

_CHUNK = 65536


class Line:
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


async def _obey(lines: dict[str, Line], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one control connection: one line of text in, one out."""
    order, _, name = (await reader.readline()).decode().strip().partition(" ")
    line = lines.get(name)
    if line is not None and order in ("cut", "restore"):
        await (line.cut() if order == "cut" else line.restore())
        writer.write(b"done\n")
    else:
        writer.write(b"unknown order\n")
    await writer.drain()
    writer.close()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def main() -> None:
    """Serve until the process is ended."""
    ends = [entry.split("=") for entry in os.environ["NETWORK_LINES"].split()]
    lines = {name: Line(_address(listen), _address(target)) for name, listen, target in ends}
    for line in lines.values():
        await line.restore()
    host, port = _address(os.environ["NETWORK_CONTROL"])
    control = await asyncio.start_server(lambda reader, writer: _obey(lines, reader, writer), host, port)
    await control.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
