"""The MLLP server: accepts connections on every listener, watches their deadlines, and drains at the end."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress

from dhos_connector_api import open_files
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.hl7v2.batch import is_batch
from dhos_connector_api.hl7v2.framing import Frame
from dhos_connector_api.log import where
from dhos_connector_api.mllp import tls
from dhos_connector_api.mllp.active_listener import ActiveListener, Capacity, Peer
from dhos_connector_api.mllp.answering import Answer, ReceivedFrame
from dhos_connector_api.mllp.committer import Committer, Done, Job
from dhos_connector_api.mllp.connection import Connection
from dhos_connector_api.mllp.metrics import MLLP_LISTENING
from dhos_connector_api.mllp.terms import Listener

_log = logging.getLogger(__name__)

#: Threads that store frames, and with them database connections. With one, what arrives while it works
#: makes the next group; several processes use several cores. The other is for large frames and batches
#: alone, which hold nobody else up there.
THREADS, LARGE_THREADS = 1, 1
LARGE = 100_000
#: Frames in a group.
MOST_TOGETHER = 64
#: Seconds a statement waits for another's key: shorter than its own time, for others wait behind it.
LOCK_TIMEOUT = 1.0
#: Bytes all connections together may hold.
MOST_HELD = 100_000_000
#: Seconds the frames in hand have to be answered when the process is told to stop.
GRACE = 15.0
#: Connections the kernel keeps for us, and seconds to wait when there are no file descriptors left.
_BACKLOG = 2048
_EXHAUSTED = 0.5
_SLOWEST_SWEEP = 1.0

AnswerGroup = Callable[[Sequence[ReceivedFrame]], Sequence[Answer | None]]


class Server:
    """Listeners at work. Make it, `start` it in an event loop, and `drain` it."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        answer: AnswerGroup,
        *,
        shared: bool = False,
        most_held: int = MOST_HELD,
    ) -> None:
        """Bind all sockets, `shared` with other processes, and load all certificates. Raises BadSetting."""
        self._answer = answer
        self._capacity = Capacity(most_held, open_files.for_connections())
        self._contexts = [tls.context(listener) for listener in listeners]
        self._sockets = [_bound(listener, shared=shared) for listener in listeners]
        self._listeners = tuple(listeners)
        self._active: list[ActiveListener] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._committers: list[Committer] = []

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Return the host and port of each listener."""
        return [each.getsockname()[:2] for each in self._sockets]

    @property
    def held(self) -> int:
        """Return the number of bytes in memory for all connections."""
        return self._capacity.held

    @property
    def connections(self) -> int:
        """Return the number of connections that are open."""
        return len(self._connections())

    def start(self) -> None:
        """Begin to accept. Call it in the event loop."""
        loop = asyncio.get_running_loop()
        usual = Committer(self._answer, loop, name="mllp", threads=THREADS, most=MOST_TOGETHER)
        large = Committer(self._answer, loop, name="mllp-large", threads=LARGE_THREADS, most=1)
        self._committers = [usual, large]

        def submit(taken: ReceivedFrame, done: Done) -> Job:
            return (large if _is_large(taken.frame) else usual).submit(taken, done)

        for listener, bound, context in zip(self._listeners, self._sockets, self._contexts, strict=True):
            bound.listen(_BACKLOG)
            active = ActiveListener(listener, submit, loop.time, self._capacity)
            self._active.append(active)
            self._spawn(self._accept(active, bound, context))
            MLLP_LISTENING.labels(listener.name).set(1)
            host, number = bound.getsockname()[:2]
            _log.info("listening", extra={"listener": listener.name, "host": host, "port": number})
        self._spawn(self._sweep())

    async def drain(self, grace: float = GRACE) -> None:
        """Stop accepting, answer what is in hand, and leave; what is not answered in time is cut off."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.close()
        for connection in self._connections():
            connection.drain()
        await self._until_gone(grace)
        for active in self._active:
            active.publish()
        for committer in self._committers:
            committer.close(seconds=1)

    def close(self) -> None:
        """Close the sockets that listen."""
        for each in self._sockets:
            each.close()
        for listener in self._listeners:
            MLLP_LISTENING.labels(listener.name).set(0)

    async def _until_gone(self, grace: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        while self._connections() and loop.time() < end:
            _overdue(self._connections(), loop.time())
            await asyncio.sleep(0.02)
        for connection in self._connections():
            connection.abort("shutdown, not answered in time")
        await asyncio.sleep(0)

    def _connections(self) -> list[Peer]:
        return [connection for active in self._active for connection in active.open]

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sweep(self) -> None:
        """End connections whose deadline has passed: cheaper than a timer for every frame."""
        shortest = min(
            min(each.frame_timeout, each.idle_timeout, each.write_timeout) for each in self._listeners
        )
        pause = min(_SLOWEST_SWEEP, shortest / 4)
        while True:
            await asyncio.sleep(pause)
            _overdue(self._connections(), asyncio.get_running_loop().time())
            for active in self._active:
                active.publish()

    async def _accept(
        self, active: ActiveListener, bound: socket.socket, context: ssl.SSLContext | None
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(bound)
            except OSError as error:
                _log.error("cannot accept", extra={"listener": active.listener.name, "cause": where(error)})
                await asyncio.sleep(_EXHAUSTED)
                continue
            peer = address[0]
            if (refusal := active.refusal(peer)) is not None:
                accepted.close()
                active.turn_away(peer, refusal)
                continue
            active.enter(peer)
            self._spawn(self._admit(active, accepted, peer, context))

    async def _admit(
        self, active: ActiveListener, accepted: socket.socket, peer: str, context: ssl.SSLContext | None
    ) -> None:
        """Make the connection, after a handshake where there is TLS; from then on it ends itself."""
        _keep_alive(accepted)
        connection = Connection(active, peer)
        timeout = active.listener.frame_timeout if context else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=context, ssl_handshake_timeout=timeout
            )
        except (OSError, TimeoutError, asyncio.CancelledError) as error:  # ssl.SSLError is an OSError
            accepted.close()
            if not connection.made:  # else it takes its leave itself
                active.leave(peer, "TLS failed", expected=False, cause=type(error).__name__)


def _is_large(frame: Frame) -> bool:
    return frame.size > LARGE or is_batch(frame.content)


def _overdue(connections: Sequence[Peer], now: float) -> None:
    for connection in connections:
        if connection.deadline <= now:
            connection.overdue()


def _bound(listener: Listener, *, shared: bool) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in listener.host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((listener.host, listener.port))
    except OSError as error:
        bound.close()
        raise BadSetting(f"MLLP_LISTENERS: {listener.name} cannot listen: {error.strerror}") from None
    bound.setblocking(False)
    return bound


def _keep_alive(accepted: socket.socket) -> None:
    """Set keepalives, so that a peer that vanished is noticed within some two minutes, idle or not."""
    accepted.setblocking(False)
    with suppress(OSError):  # it may have gone already; reading will tell
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):  # not everywhere
                accepted.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
