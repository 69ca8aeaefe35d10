"""The database as the rooms see it: a transaction to write in, or single statements.

`Database.transaction()` and `Database.pipeline()` are the only places in the house that commit; a
statement of `Database.statements()` is a transaction of its own, and PostgreSQL commits it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dhos_connector_api.db.large_rows import close_after_large
from dhos_connector_api.errors import StorageBusy, StorageUnavailable

#: Seconds until an attempt to connect, to get a pooled connection, to run a statement gives up.
CONNECT_TIMEOUT = 3
POOL_TIMEOUT = 2
STATEMENT_TIMEOUT = 5
#: The same, where nobody waits for the answer: workers and the command line.
UNHURRIED_TIMEOUT = 60
#: What the server does with every session of ours. The last four let go of what a process holds whose
#: host has gone.
SESSION = {
    "timezone": "UTC",
    "jit": "off",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
#: PostgreSQL error classes that pass by themselves: connection, resources, operator intervention,
#: rolled-back transaction (deadlock, serialisation), and a lock not available in time.
_PASSING = ("08", "53", "57", "40", "55")
#: Of these, what says that this statement met another's: cancelled for its time, or for a lock.
_BUSY = ("57014", "55P03", "40001", "40P01")
#: What psycopg itself raises for these; SQLAlchemy wraps it but in `Database.pipeline`.
_DRIVER_AWAY = (psycopg.OperationalError, psycopg.InterfaceError)
#: Everything that writing may raise: the database is away, or will not have what it was given.
FAILURES = (StorageUnavailable, SQLAlchemyError, psycopg.Error, UnicodeError)


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where PostgreSQL listens. `host` may be a folder with a Unix socket."""

    host: str
    port: int
    name: str
    user: str
    password: str | None

    def environment(self) -> dict[str, str]:
        """The settings that lead a process to this database."""
        return {
            "DATABASE_HOST": self.host,
            "DATABASE_PORT": str(self.port),
            "DATABASE_NAME": self.name,
            "DATABASE_USER": self.user,
            "DATABASE_PASSWORD": self.password or "",
        }

    @property
    def label(self) -> str:
        """`host:port/name`: which database this is, without who we are there."""
        return f"{self.host}:{self.port}/{self.name}"

    def url(self) -> URL:
        """The SQLAlchemy URL, for psycopg 3."""
        return make_url("postgresql+psycopg://").set(
            host=self.host, port=self.port, database=self.name, username=self.user, password=self.password
        )


def engine_options(
    *, pool_size: int, statement_timeout: float = STATEMENT_TIMEOUT, lock_timeout: float = 0
) -> dict[str, Any]:
    """Options for SQLAlchemy's `create_engine`: bounded waits everywhere, times in UTC.

    Timeouts are seconds; 0: locks are waited for as long as the statement may take.

    Connections commit each statement by themselves; a transaction is what has to ask. The other way
    round every message would pay for switching over and back.
    """
    session = SESSION | {
        "idle_in_transaction_session_timeout": "10s",  # of a process that stands still within one
        "statement_timeout": str(int(statement_timeout * 1000)),
        "lock_timeout": str(int(lock_timeout * 1000)),
    }
    return {
        "isolation_level": "AUTOCOMMIT",
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": POOL_TIMEOUT,
        "pool_pre_ping": False,
        "hide_parameters": True,  # the text of an error must not show what was to be stored
        "pool_recycle": 1800,
        "connect_args": connect_arguments("dhos-connector-api", session),
    }


def connect_arguments(name: str, session: Mapping[str, str]) -> dict[str, Any]:
    """Return what psycopg connects with: the `name` in pg_stat_activity, the settings of the `session`."""
    return {
        "connect_timeout": CONNECT_TIMEOUT,
        "application_name": name,
        "options": " ".join(f"-c {setting}={value}" for setting, value in session.items()),
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": 5000,  # keepalives wait while something sent is not acknowledged
    }


class Database:
    """PostgreSQL behind a connection pool. Its methods raise StorageUnavailable when it is away."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        close_after_large(engine)
        self._transactional = engine.execution_options(isolation_level="READ COMMITTED")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose work is committed when the block ends, and undone when it raises."""
        with storage_errors(), self._transactional.begin() as connection:
            yield connection

    @contextmanager
    def statements(self) -> Iterator[Connection]:
        """A connection on which each statement is committed when it returns, or has done nothing.

        For reading, and for what writes by one statement: one trip to the server instead of three.
        """
        with storage_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def pipeline(self) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        """A connection of psycopg's whose statements travel together; committed when the block ends.

        Results can be read after the block, and not before: they would be waited for. Where a statement
        fails, nothing is kept: the pool undoes what a connection given back to it left open. BEGIN and
        COMMIT travel with the rest; each end of psycopg's own `transaction()` would wait for the server.
        """
        with storage_errors(), self.engine.connect() as connection:
            wire: psycopg.Connection[tuple[Any, ...]] = connection.connection.driver_connection  # type: ignore[assignment]
            try:
                with wire.pipeline():
                    wire.execute("BEGIN")
                    yield wire
                    wire.execute("COMMIT")
            except psycopg.Error:
                if wire.closed:
                    connection.invalidate()  # SQLAlchemy has not seen it break
                raise


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn what passes by itself into StorageUnavailable or StorageBusy; leave other errors as they are."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, *_DRIVER_AWAY) as error:
        if getattr(getattr(error, "orig", error), "sqlstate", None) in _BUSY:
            raise StorageBusy("the database could not do it in time") from error
        raise StorageUnavailable("the database did not answer") from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if error.connection_invalidated or state[:2] in _PASSING:
            raise StorageUnavailable("the database did not answer") from error
        raise
