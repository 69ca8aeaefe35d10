"""How an MLLP process is run: its event loop, its signals, and what it asks of this machine."""

import asyncio
import gc
import signal

import uvloop

from dhos_connector_api.mllp.server import Server

#: Objects the process makes before it looks for circles among them.
_GARBAGE = 50_000


def serve(server: Server) -> None:
    """Serve until SIGTERM or SIGINT; what is in hand then is still answered."""
    # What was made until now stays, and what a message leaves behind is rarely a circle: to look for
    # garbage as often as Python does costs a tenth of the messages.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    uvloop.run(_serve(server))


async def _serve(server: Server) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server.start()
    await stop.wait()
    await server.drain()
