"""A listener at work, as its connections share it: its terms, its figures, who is connected."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

from dhos_connector_api.metrics import Histogram
from dhos_connector_api.mllp.answering import ReceivedFrame
from dhos_connector_api.mllp.committer import Done, Job
from dhos_connector_api.mllp.metrics import (
    MLLP_ACK_SECONDS,
    MLLP_ACKS,
    MLLP_CLOSED,
    MLLP_CONNECTIONS,
    MLLP_FRAMES,
)
from dhos_connector_api.mllp.terms import Listener

_log = logging.getLogger(__name__)

#: Bytes counted for a connection with TLS, which OpenSSL and uvloop's buffers take; and how often each
#: byte it holds is counted: those buffers have grown to what came at once.
TLS_BYTES, TLS_FACTOR = 50_000, 2


class Peer(Protocol):
    """A connection, as the server deals with it: see `connection.Connection`."""

    deadline: float

    def overdue(self) -> None: ...
    def drain(self) -> None: ...
    def abort(self, reason: str) -> None: ...


@dataclass(slots=True)
class Capacity:
    """The limits of all connections of the process together: bytes in memory, and connections.

    `configured` are the connections of all listeners together.
    """

    most: int
    most_connections: int
    held: int = 0
    connections: int = 0
    configured: int = 0

    def expect(self, connections: int) -> None:
        """Add a listener's limit; log a warning where there are too few open files for all."""
        self.configured += connections
        if self.configured > self.most_connections:
            extra = {"configured": self.configured, "open_files_allow": self.most_connections}
            _log.warning("fewer connections than configured", extra=extra)


@dataclass(slots=True)
class ActiveListener:
    """One listener at work. It belongs to the event loop's thread."""

    listener: Listener
    submit: Callable[[ReceivedFrame, Done], Job]
    now: Callable[[], float]  # the event loop's clock, in seconds
    capacity: Capacity
    open: set[Peer] = field(default_factory=set)
    peers: Counter[str] = field(default_factory=Counter)
    admitted: int = 0
    sent: Counter[tuple[str, ...]] = field(default_factory=Counter)
    seconds: Histogram = field(init=False)

    def __post_init__(self) -> None:
        self.seconds = MLLP_ACK_SECONDS.labels(self.listener.name)
        self.capacity.expect(self.listener.connections)

    def refusal(self, peer: str) -> str | None:
        """Return why a peer is turned away now; None: it is admitted."""
        listener = self.listener
        if listener.networks and not any(_address(peer) in network for network in listener.networks):
            return "network not allowed"
        full = self.capacity.connections >= self.capacity.most_connections
        if full or self.admitted >= listener.connections:
            return "too many connections"
        return (
            "too many connections of one peer" if self.peers[peer] >= listener.connections_per_peer else None
        )

    def enter(self, peer: str) -> None:
        """Count a connection, from before its TLS handshake."""
        self.peers[peer] += 1
        self.admitted += 1
        self.capacity.connections += 1
        self.capacity.held += TLS_BYTES if self.listener.tls else 0
        MLLP_CONNECTIONS.labels(self.listener.name).inc()

    def leave(self, peer: str, reason: str, *, expected: bool, **facts: object) -> None:
        """Count its end. What was not to be expected is logged as a warning."""
        self.peers[peer] -= 1
        if not self.peers[peer]:
            del self.peers[peer]
        self.admitted -= 1
        self.capacity.connections -= 1
        self.capacity.held -= TLS_BYTES if self.listener.tls else 0
        MLLP_CONNECTIONS.labels(self.listener.name).dec()
        self.turn_away(peer, reason, expected=expected, **facts)

    def turn_away(self, peer: str, reason: str, *, expected: bool = False, **facts: object) -> None:
        """Count and log why a connection ended, or never came to be."""
        MLLP_CLOSED.labels(self.listener.name, reason).inc()
        level = logging.DEBUG if expected else logging.WARNING
        extra = {"listener": self.listener.name, "peer": peer, "reason": reason, **facts}
        _log.log(level, "connection closed", extra=extra)

    def dropped(self, peer: str, why: str, size: int) -> None:
        """Count and log bytes that were no frame."""
        MLLP_FRAMES.labels(self.listener.name, why).inc()
        extra = {"listener": self.listener.name, "peer": peer, "reason": why, "bytes": size}
        _log.warning("bytes dropped", extra=extra)

    def outcome(self, outcome: str) -> None:
        """Count a whole frame."""
        MLLP_FRAMES.labels(self.listener.name, outcome).inc()

    def acknowledged(self, codes: tuple[str, ...], seconds: float) -> None:
        """Count acknowledgements sent so long after the frame's last byte; `publish` shows them."""
        self.sent[codes] += 1
        self.seconds.observe(seconds)

    def publish(self) -> None:
        """Add what was sent since the last time to the metrics: each step of a shared metric costs much."""
        sent, self.sent = self.sent, Counter()
        for codes, number in sent.items():
            MLLP_FRAMES.labels(self.listener.name, "answered").inc(number)
            for code in codes:
                MLLP_ACKS.labels(self.listener.name, code).inc(number)


def _address(peer: str) -> IPv4Address | IPv6Address:
    """Return the address; of IPv4 mapped into IPv6, as a socket for both gives it, the former."""
    address = ip_address(peer.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
