"""The connections of a web process: how many there may be, and who is cut off for being too slow.

What nobody has a token for must cost nearly nothing. So a connection that says nothing, sends its headers
or its body for too long, or does not read its answer is ended by one look at all of them each second: cheaper
than a timer for every request. Where there is no room for one more, the one that has been without a request
for longest goes, of the peer that has most: a probe gets in, however many sockets somebody opens.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Protocol

from dhos_connector_api.http.metrics import CONNECTIONS_ENDED

_log = logging.getLogger(__name__)

#: Seconds between two looks.
SWEEP = 1.0
#: Bytes of answers that wait to be read, of all connections together; beyond, the longest waiting is cut off.
MOST_UNSENT = 64_000_000
#: Seconds between two lines of the log about connections that were ended.
_QUIET = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """The limits of a process's connections. Times are seconds.

    `headers` from a request's first byte, or from the beginning of a connection that says nothing, to the end
    of its headers; `body` from there to the end of its body; `answer` for an answer to be read; `idle`
    between two requests.
    """

    most: int = 2000
    most_of_peer: int = 1000
    headers: float = 10.0
    body: float = 60.0
    answer: float = 60.0
    idle: float = 75.0


class Peer(Protocol):
    """A connection, as they are looked at here: see `connection.BoundedConnection`."""

    address: str
    deadline: float
    unread_since: float | None

    def unread(self) -> int: ...
    def overdue(self) -> None: ...
    def end(self, reason: str) -> None: ...


class OpenConnections:
    """All connections of one process. It belongs to the event loop's thread."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: set[Peer] = set()
        self._peers: Counter[str] = Counter()
        self._idle: defaultdict[str, dict[Peer, None]] = defaultdict(
            dict
        )  # by address, the longest idle first
        self._sweeping = False
        self._ended: Counter[str] = Counter()
        self._told = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, peer: Peer) -> None:
        """Add a connection that was just made; end another, or this one, where there is no room for it."""
        self._open.add(peer)
        self.idle(peer)
        self._peers[peer.address] += 1
        if self._peers[peer.address] > self.limits.most_of_peer:
            self._make_room(peer, peer.address, "too many of one peer")
        elif len(self._open) > self.limits.most:
            self._make_room(peer, max(self._peers, key=self._peers.__getitem__), "too many")
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(SWEEP, self._sweep)

    def leave(self, peer: Peer) -> None:
        """Forget a connection that has ended."""
        if peer not in self._open:
            return
        self.busy(peer)
        self._open.discard(peer)
        self._peers[peer.address] -= 1
        if not self._peers[peer.address]:
            del self._peers[peer.address]
            self._idle.pop(peer.address, None)

    def idle(self, peer: Peer) -> None:
        """Note that no request is under way on a connection from now on."""
        if peer in self._open:
            self.busy(peer)
            self._idle[peer.address][peer] = None

    def busy(self, peer: Peer) -> None:
        """Note that a request is under way on a connection."""
        self._idle[peer.address].pop(peer, None)

    def ended(self, reason: str) -> None:
        """Count a connection that was ended by us; a line of the log says so now and then."""
        CONNECTIONS_ENDED.labels(reason).inc()
        self._ended[reason] += 1

    def _make_room(self, new: Peer, address: str, reason: str) -> None:
        """End the connection of that peer that has been without a request for longest; else the new one."""
        goes = next(iter(self._idle[address]), new)
        self.leave(goes)
        goes.end(reason)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        unread = 0
        for each in list(self._open):
            if each.deadline <= now:
                each.overdue()
                continue
            waiting = each.unread()
            unread += waiting
            if not waiting:
                each.unread_since = None
            elif each.unread_since is None:
                each.unread_since = now
            elif now - each.unread_since > self.limits.answer:
                each.end("answer not read")
        if unread > MOST_UNSENT:
            self._end_slow_readers(unread)
        self._say(now)
        self._sweeping = bool(self._open)
        if self._sweeping:
            loop.call_later(SWEEP, self._sweep)

    def _end_slow_readers(self, unread: int) -> None:
        """End those whose answers have waited for longest until what waits is within its bound."""
        slow = [each for each in self._open if each.unread_since is not None]
        for each in sorted(slow, key=lambda one: one.unread_since or 0.0):
            if unread <= MOST_UNSENT:
                break
            unread -= each.unread()
            each.end("answers not read take too much")

    def _say(self, now: float) -> None:
        if self._ended and now - self._told >= _QUIET:
            _log.warning("connections ended", extra={"by_reason": dict(self._ended)})
            self._ended.clear()
            self._told = now
