"""A process that is told to stop: first it says so to those who ask whether it is ready, then it stops.

Whoever spreads requests over several services (Kubernetes, a load balancer) hears of it when it asks for
`/ready` the next time. Until then requests come as ever and are answered, each by an answer that closes its
connection; so hardly any connection is left that a request could come on while it is closed.
"""

import signal
import socket
from types import FrameType

import uvicorn

from dhos_connector_api import clock
from dhos_connector_api.errors import Stopping
from dhos_connector_api.stopping import Stop


class Leaving:
    """Whether this process has been told to stop."""

    def __init__(self) -> None:
        self.has_begun = False

    def check(self) -> None:
        """Raise Stopping where it has."""
        if self.has_begun:
            raise Stopping("the service is about to stop")


class LeavingServer(uvicorn.Server):
    """uvicorn, which goes on for `delay` seconds after SIGTERM; a second signal, or SIGINT, ends that."""

    def __init__(self, config: uvicorn.Config, leaving: Leaving, delay: float) -> None:
        super().__init__(config)
        self._leaving = leaving
        self._delay = delay
        self._due: float | None = None
        self._stop = Stop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal; uvicorn looks at it ten times a second."""
        self._stop.told(sig)
        first = not self._leaving.has_begun
        self._leaving.has_begun = True
        if first and sig == signal.SIGTERM and self._delay:
            self._due = clock.monotonic() + self._delay
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop now."""
        if self._stop.is_set():
            self._stop.begins(**self._in_hand())
        if self._due is not None and clock.monotonic() >= self._due:
            self._due = None
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what rests, answer what is in hand, and leave."""
        self._stop.begins(**self._in_hand())
        await super().shutdown(sockets)
        self._stop.ended(**self._in_hand())

    def _in_hand(self) -> dict[str, int]:
        state = self.server_state
        return {"requests": len(state.tasks), "connections": len(state.connections)}
