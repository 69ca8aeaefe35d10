"""How an MLLP process is run: its event loop and its signals."""

import asyncio
import signal

import uvloop

from dhos_connector_api.mllp.server import Server


def serve(server: Server) -> None:
    """Serve until SIGTERM or SIGINT; what is in hand then is still answered."""
    uvloop.run(_serve(server))


async def _serve(server: Server) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server.start()
    await stop.wait()
    await server.drain()
