"""How an MLLP process is run: its event loop and its signals."""

import asyncio
import signal
from contextlib import suppress

import uvloop

from dhos_connector_api.mllp.server import Server


def serve(server: Server, delay: float) -> None:
    """Serve until SIGTERM and `delay` seconds more, or SIGINT; what is in hand then is still answered.

    Meanwhile whoever spreads connections over several services hears that this one stops. A second signal
    ends the delay.
    """
    uvloop.run(_serve(server, delay))


async def _serve(server: Server, delay: float) -> None:
    told, at_once = asyncio.Event(), asyncio.Event()

    def on_signal(number: int) -> None:
        if told.is_set() or number == signal.SIGINT:
            at_once.set()
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    server.start()
    await told.wait()
    with suppress(TimeoutError):
        await asyncio.wait_for(at_once.wait(), delay)
    await server.drain()
