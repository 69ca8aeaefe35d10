"""The right to publish: a session advisory lock in PostgreSQL, held by one relay at a time.

The lock lives as long as its database session. PostgreSQL ends the session of a dead process at
once and that of a dead host within seconds (keepalives on both sides), and the next relay gets it.
"""

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from dhos_connector_api.causes import Cause
from dhos_connector_api.db import faults
from dhos_connector_api.db.session import BEYOND_STATEMENT, SESSION, connect_arguments, open_patiently

#: "dhos" and a number: the advisory lock of the relay in the Connector's database.
RELAY_LOCK = 0x64686F73_0001

#: Seconds for one statement.
_STATEMENT_TIMEOUT = 5
# What the server does with this session besides. A queue table's statistics are stale all the time: the
# plan must be the index, whatever they say (and to compile the selection takes ten times as long as to
# run it).
_SESSION = SESSION | {
    "statement_timeout": f"{_STATEMENT_TIMEOUT}s",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}


#: Whether this is a session of our own that can write; only there the lock is asked for, else it is NULL. A
#: pooler that lends a session for each transaction took none of our settings, and would give away the lock.
_TAKE = text(
    "SELECT is_ours, CASE WHEN is_ours AND writes THEN pg_try_advisory_lock(:key) END FROM (SELECT"
    " current_setting('enable_seqscan') = 'off' AS is_ours,"
    " current_setting('transaction_read_only') = 'off' AS writes) AS session"
)


def session_engine(url: URL | str, *, name: str = "dhos-connector-api relay") -> Engine:
    """Return an engine for the one session of a relay: no pool, every statement commits by itself.

    `name` is shown in pg_stat_activity.
    """
    engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args=connect_arguments(name, _SESSION),
    )
    open_patiently(engine, _STATEMENT_TIMEOUT + BEYOND_STATEMENT)
    return engine


class Lease:
    """The lock, and the session that holds it or waits for it."""

    def __init__(self, engine: Engine, key: int = RELAY_LOCK) -> None:
        self._engine = engine
        self._key = key
        self._connection: Connection | None = None

    def take(self) -> Connection | None:
        """Try for the lock once; return the session that holds it from now on, or None: another has it.

        On a server that only reads the lock is worth nothing: nothing published could be settled. Behind a
        pooler that lends sessions by the transaction nobody would hold it. It is not asked for there.
        Raises SQLAlchemyError when PostgreSQL cannot be reached. Not to be called by its holder.
        """
        if self._connection is None:
            self._connection = self._engine.connect()
        is_ours, taken = self._connection.execute(_TAKE, {"key": self._key}).one()
        if taken is None:
            cause = Cause.READ_ONLY if is_ours else Cause.NO_SESSION
            faults.OUTAGE.failed(faults.fault_at(self._engine.url, cause))
            self.drop()
            return None
        faults.OUTAGE.succeeded()
        return self._connection if taken else None

    def check(self) -> None:
        """Raise SQLAlchemyError when the session is gone, and with it the lock."""
        if self._connection is not None:
            self._connection.execute(text("SELECT 1"))
            faults.OUTAGE.succeeded()

    def alive(self) -> bool:
        """Return whether the session is still there; asks PostgreSQL."""
        try:
            self.check()
        except SQLAlchemyError:
            return False
        return True

    def drop(self) -> None:
        """End the session. PostgreSQL gives the lock to the next who asks."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()
