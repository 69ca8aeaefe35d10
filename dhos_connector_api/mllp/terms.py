"""The terms of a listener (pure): where it listens, whom it trusts, what it takes. Durations are in seconds.

A listener says which senders it is for; a message of any other is refused. What is not said has the
default beside it here. `listeners` reads them from a file.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from dhos_connector_api.hl7v2.modes import Mode

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Tls:
    """The listener's certificate, and the authority clients' certificates must come from, if any."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    client_certificate: str = "required"  # | "optional"; without client_ca none is asked for


@dataclass(frozen=True, slots=True)
class Sender:
    """A sender that may send: MSH-3.1 and MSH-4.1 (None: any), what, and with which certificate.

    `accepted` is as in the site file, and narrows it; `certificate` is a name in the client's
    certificate: its common name, or one of its alternative names (DNS, URI, e-mail).
    """

    application: str | None = None
    facility: str | None = None
    accepted: dict[str, frozenset[str]] | None = None
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """One port. No senders: everybody may send."""

    name: str
    port: int
    host: str = "0.0.0.0"  # noqa: S104
    tls: Tls | None = None
    senders: tuple[Sender, ...] = ()
    mode: Mode = Mode.AUTO
    application_ack: str = "connection"  # of enhanced mode: on the same connection | "delivery"
    networks: tuple[Network, ...] = ()
    largest_message: int = 5_000_000
    frame_timeout: float = 15
    idle_timeout: float = 600
    write_timeout: float = 5
    connections: int = 4000
    connections_per_peer: int = 1000
