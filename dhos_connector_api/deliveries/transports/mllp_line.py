"""One open connection to an MLLP receiver; whatever is done on it has to be done by a moment."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from dhos_connector_api import clock, tls
from dhos_connector_api.deliveries.rules.outcome import CONNECT_SECONDS
from dhos_connector_api.errors import BadSetting

_CHUNK = 65_536
#: A line that has been silent so long is probed, so that a firewall keeps it and a dead one is known:
#: seconds before the first probe, seconds between probes, probes without an answer.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where messages are sent to; with `tls` its certificate has to name `host`."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


def tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return a client's TLS 1.2+ context. `ca` None: the authorities of this machine.

    `certificate` and `key` are ours, for receivers that ask for one. Raises BadSetting where a file
    cannot be used, naming none.
    """
    try:
        return tls.client_context(ca, certificate, key)
    except (OSError, ValueError):
        raise BadSetting("the CA, the certificate or its key cannot be used") from None


class Line:
    """A connection. `until` is always a moment of `clock.monotonic`; past it, TimeoutError is raised.

    Every method raises OSError, and opening one ValueError too (a host that cannot be a name).
    """

    def __init__(self, receiver: Receiver, until: float) -> None:
        seconds = min(CONNECT_SECONDS, _left(until))
        self._socket: socket.socket = socket.create_connection((receiver.host, receiver.port), seconds)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _keep_alive(self._socket)
            if receiver.tls is not None:
                self._socket = receiver.tls.wrap_socket(
                    self._socket, server_hostname=receiver.host, do_handshake_on_connect=False
                )
                self._socket.settimeout(_left(until))
                self._socket.do_handshake()
        except BaseException:
            self._socket.close()
            raise

    def write(self, data: bytes, until: float) -> None:
        """Hand all of it to the connection."""
        view = memoryview(data)
        while view:
            self._socket.settimeout(_left(until))  # a part at a time: each has what is left of the time
            view = view[self._socket.send(view[:_CHUNK]) :]

    def read(self, until: float) -> bytes:
        """Return the bytes that arrive next; b"" when the other side has ended the connection."""
        self._socket.settimeout(_left(until))
        return self._socket.recv(_CHUNK)

    def arrived(self) -> bytes | None:
        """Return bytes without waiting: None when there are none, b"" when the connection has ended."""
        self._socket.settimeout(0)
        try:
            return self._socket.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None

    def close(self) -> None:
        """End it."""
        self._socket.close()


def _left(until: float) -> float:
    seconds = until - clock.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _keep_alive(opened: socket.socket) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:  # not every system has all of them
            opened.setsockopt(socket.IPPROTO_TCP, option, value)
