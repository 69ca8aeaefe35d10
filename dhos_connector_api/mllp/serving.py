"""How an MLLP process is run: its event loop and its signals."""

import asyncio
import signal
from contextlib import suppress

import uvloop

from dhos_connector_api.mllp.server import Server
from dhos_connector_api.stopping import Stop


def serve(server: Server, delay: float) -> None:
    """Serve until SIGTERM and `delay` seconds more, or SIGINT; what is in hand then is still answered.

    Meanwhile whoever spreads connections over several services hears that this one stops. A second signal
    ends the delay.
    """
    uvloop.run(_serve(server, delay))


async def _serve(server: Server, delay: float) -> None:
    told, at_once, stop = asyncio.Event(), asyncio.Event(), Stop()

    def on_signal(number: int) -> None:
        stop.told(number)
        if told.is_set() or number == signal.SIGINT:
            at_once.set()
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    server.start()
    await told.wait()
    stop.begins(connections=server.connections, bytes=server.held)
    with suppress(TimeoutError):
        await asyncio.wait_for(at_once.wait(), delay)
    await server.drain()
    stop.ended(connections=server.connections, bytes=server.held)
