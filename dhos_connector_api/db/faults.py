"""What an error of PostgreSQL's driver says of the server: host, port and one cause."""

import re
from collections.abc import Sequence

import psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dhos_connector_api.causes import Cause, Fault
from dhos_connector_api.db.metrics import DATABASE_WRITABLE
from dhos_connector_api.outages import Outage

SERVER = "PostgreSQL"
#: What this process finds of its database.
OUTAGE = Outage(SERVER, DATABASE_WRITABLE)
#: A table, column or function that is not there: an older schema than this build's (SQLSTATE).
NOT_MIGRATED = ("42P01", "42703", "42883")
#: By SQLSTATE, or its class.
_STATES = {
    **dict.fromkeys(NOT_MIGRATED, Cause.NOT_MIGRATED),
    "25006": Cause.READ_ONLY,
    "28": Cause.LOGIN,
    "3D": Cause.NO_DATABASE,
    "53100": Cause.FULL,
    "53300": Cause.TOO_MANY,
    "57P03": Cause.STARTING,
    "57": Cause.LOST,
    "08": Cause.LOST,
    "25": Cause.LOST,
}
#: libpq gives no SQLSTATE for a connection that did not come about: its text is all there is. The first that
#: fits. What the server says stands in its own language; another than English is `other`.
_TEXTS: Sequence[tuple[str, Cause]] = (
    (r"resolve host|translate host name", Cause.DNS),
    (r"unsupported startup parameter", Cause.NO_SESSION),
    (r"authentication failed|pg_hba\.conf|no password supplied|role \".*\" does not exist|permitted to log in"
     r"|no such user|auth failed", Cause.LOGIN),
    (r"database \".*\" (does not exist|is not currently accepting)|no such database|invalid database"
     r"|permission denied for database", Cause.NO_DATABASE),
    (r"too many (clients|connections)|connection slots|no more connections", Cause.TOO_MANY),
    # A server that comes up after a crash; its details may speak of a hot standby.
    (r"starting up|shutting down|recovery mode|not yet accepting", Cause.STARTING),
    (r"read-only|hot standby|not accepting (connections|commands)", Cause.READ_ONLY),
    (r"No space left", Cause.FULL),
    (r"SSL|certificate|private key|\bTLS\b", Cause.TLS),
    (r"Connection refused|No such file or directory", Cause.REFUSED),
    (r"No route to host|unreachable|Host is down", Cause.UNREACHABLE),
    (r"timeout|timed out|in time", Cause.TIMED_OUT),
    (r"closed the connection|Connection reset|connection is (closed|lost)|Broken pipe"
     r"|terminating connection", Cause.LOST),
)  # fmt: skip


def fault_of(error: BaseException, url: URL) -> Fault:
    """Return which server an error of psycopg's, wrapped or not, tells of, and why.

    `url` is where it should be. Of several hosts it is the one that was tried last.
    """
    inner = getattr(error, "orig", None) or error
    connection = inner.pgconn if isinstance(inner, psycopg.Error) else None
    host = connection.host.decode() if connection is not None and connection.host else None
    port = connection.port.decode() if connection is not None and connection.port else None
    there = fault_at(url, _cause(error, inner))
    return there if host is None else Fault(SERVER, host, int(port or there.port), there.cause)


def fault_at(url: URL, cause: Cause) -> Fault:
    """Return that fault of the database at `url`."""
    host, port = url.query.get("host", url.host), url.query.get("port", url.port)
    return Fault(SERVER, str(host or "?"), port if isinstance(port, (int, str)) else 5432, cause)


def _cause(error: BaseException, inner: BaseException) -> Cause:
    state = getattr(inner, "sqlstate", None) or ""
    if found := _STATES.get(state) or _STATES.get(state[:2]):
        return found
    if isinstance(error, PoolTimeout):
        return Cause.TIMED_OUT
    # Every host that was tried stands in the lines below the first, which is about the last one.
    text = str(inner).partition("\nMultiple connection attempts")[0]
    return next((cause for fits, cause in _TEXTS if re.search(fits, text)), Cause.OTHER)
