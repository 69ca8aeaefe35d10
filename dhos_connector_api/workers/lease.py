"""The right to publish: a session advisory lock in PostgreSQL, held by one relay at a time.

The lock lives as long as its database session. PostgreSQL ends the session of a dead process at
once and that of a dead host within seconds (keepalives on both sides), and the next relay gets it.
"""

import logging

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from dhos_connector_api.db.session import BEYOND_STATEMENT, SESSION, connect_arguments, open_patiently

log = logging.getLogger(__name__)

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


#: NULL where nothing can be written.
_TAKE = text(
    "SELECT CASE WHEN current_setting('transaction_read_only') = 'off' THEN pg_try_advisory_lock(:key) END"
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

        On a server that only reads the lock is worth nothing: nothing published could be settled. It is not
        asked for there. Raises SQLAlchemyError when PostgreSQL cannot be reached. Not to be called by its
        holder.
        """
        if self._connection is None:
            self._connection = self._engine.connect()
        taken = self._connection.execute(_TAKE, {"key": self._key}).scalar_one()
        if taken is None:
            log.warning("no lease on a database that only reads")
            self.drop()
        return self._connection if taken else None

    def check(self) -> None:
        """Raise SQLAlchemyError when the session is gone, and with it the lock."""
        if self._connection is not None:
            self._connection.execute(text("SELECT 1"))

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
