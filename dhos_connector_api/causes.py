"""Why a server cannot be used, in one word for people who look at a log, `/ready` or a command (pure).

What a driver raises is turned into a `Fault` where the driver is known: `db/faults.py` and
`broker/faults.py`. Nothing is decided by a cause: it only says where to look. A cause never quotes what a
server or a library said, which may hold what was sent.
"""

import errno
import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """What is wrong, as it is shown."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    DNS = "DNS"
    TLS = "TLS"
    LOGIN = "login"
    NO_DATABASE = "missing database"
    NO_VHOST = "missing vhost"
    NOT_MIGRATED = "not migrated"
    READ_ONLY = "read-only"
    NOT_DURABLE = "not durable"
    TOO_MANY = "too many connections"
    FULL = "disk full"
    NO_SESSION = "no session"
    STARTING = "starting or stopping"
    LOST = "connection lost"
    TIMED_OUT = "timed out"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Fault:
    """Which server cannot be used, and why.

    str(Fault("PostgreSQL", "db", 5432, Cause.REFUSED)) == "PostgreSQL at db:5432: refused"
    """

    server: str
    host: str
    port: int | str
    cause: Cause

    def __str__(self) -> str:
        return f"{self.server} at {self.host}:{self.port}: {self.cause}"


_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)
_LOST = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, EOFError)


def cause_of_socket(error: BaseException) -> Cause | None:
    """Return what an error of the operating system's or of TLS says; None for any other."""
    for kinds, cause in (
        (ssl.SSLError, Cause.TLS),
        (socket.gaierror, Cause.DNS),
        # No server listens there; for a Unix socket: there is none.
        ((ConnectionRefusedError, FileNotFoundError), Cause.REFUSED),
        (TimeoutError, Cause.TIMED_OUT),
        (_LOST, Cause.LOST),
    ):
        if isinstance(error, kinds):
            return cause
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return Cause.UNREACHABLE
    return None
