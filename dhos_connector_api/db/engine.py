"""The database as the rooms see it: a transaction to write in, or single statements.

`Database.transaction()` and `Database.pipeline()` are the only places in the house that commit; a
statement of `Database.statements()` is a transaction of its own, and PostgreSQL commits it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dhos_connector_api.causes import Cause
from dhos_connector_api.db import faults
from dhos_connector_api.db.large_rows import close_after_large
from dhos_connector_api.db.pooler import TransactionTimeouts, open_through_pooler, pooled_arguments
from dhos_connector_api.db.session import BEYOND_STATEMENT, SESSION, connect_arguments, open_patiently
from dhos_connector_api.errors import NotMigrated, StorageBusy, StorageUnavailable

#: What is shown in pg_stat_activity.
NAME = "dhos-connector-api"
#: Seconds until an attempt to get a pooled connection, to run a statement gives up.
POOL_TIMEOUT = 2
STATEMENT_TIMEOUT = 5
#: The same, where nobody waits for the answer: workers and the command line.
UNHURRIED_TIMEOUT = 60
#: PostgreSQL error classes that pass by themselves: connection, resources, operator intervention, the
#: system below (a disk), rolled-back transaction (deadlock, serialisation), and a lock not available in time.
_PASSING = ("08", "53", "57", "58", "40", "55")
#: So do these: the server only reads (it is a standby, or was told so), and it has ended our transaction.
_READ_ONLY = "25006"
_ENDED = ("25P03", "25P04")
#: And this one never does, though it is an "operational error": a row too long for its index, and the like.
_LIMIT = "54"
#: What says that this statement met another's: cancelled for its time, or for a lock.
_BUSY = ("57014", "55P03", "40001", "40P01")
#: Classes after which no connection of the pool is worth keeping: others would meet the same.
_STALE = ("08", "53", "57", "58")
#: What psycopg itself raises for these; SQLAlchemy wraps it but in `Database.pipeline`.
_DRIVER_AWAY = (psycopg.OperationalError, psycopg.InterfaceError)
#: Everything that writing may raise: the database is away, or will not have what it was given.
FAILURES = (StorageUnavailable, SQLAlchemyError, psycopg.Error, UnicodeError)


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where PostgreSQL listens. `host` may be a folder with a Unix socket, or several with commas between.

    `ports` are those of several hosts that differ in it; `tls` is what libpq is told of it, by its names.
    """

    host: str
    port: int
    name: str
    user: str
    password: str | None
    ports: str = ""
    tls: tuple[tuple[str, str], ...] = ()

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
        return f"{self.host}:{self.ports or self.port}/{self.name}"

    def url(self) -> URL:
        """The SQLAlchemy URL, for psycopg 3."""
        url = make_url("postgresql+psycopg://").set(
            database=self.name, username=self.user, password=self.password, query=dict(self.tls)
        )
        if self.ports:
            return url.update_query_dict({"host": self.host, "port": self.ports})
        return url.set(host=self.host, port=self.port)


def engine_options(
    *,
    pool_size: int,
    statement_timeout: float = STATEMENT_TIMEOUT,
    lock_timeout: float = 0,
    pooled: bool = False,
) -> dict[str, Any]:
    """Options for SQLAlchemy's `create_engine`: bounded waits everywhere, times in UTC.

    Timeouts are seconds; 0: locks are waited for as long as the statement may take.

    `pooled`: nothing is asked of a session, as each transaction gets another one; see `Database`.

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
        "connect_args": pooled_arguments(NAME) if pooled else connect_arguments(NAME, session),
    }


class Database:
    """PostgreSQL behind a connection pool. Its methods raise StorageUnavailable when it is away.

    `of_pooler` says what each transaction is told, where the sessions are not ours.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        statement_timeout: float = UNHURRIED_TIMEOUT,
        of_pooler: TransactionTimeouts | None = None,
    ) -> None:
        self.engine = engine
        self._told = of_pooler.statement if of_pooler else None
        if of_pooler is None:
            open_patiently(engine, statement_timeout + BEYOND_STATEMENT)
        else:
            open_through_pooler(engine, statement_timeout + BEYOND_STATEMENT)
        event.listen(engine, "handle_error", _drop_stale)
        close_after_large(engine)
        self._transactional = engine.execution_options(isolation_level="READ COMMITTED")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose work is committed when the block ends, and undone when it raises."""
        with storage_errors(self.engine), self._transactional.begin() as connection:
            if self._told:
                connection.exec_driver_sql(self._told)
            yield connection

    @contextmanager
    def statements(self) -> Iterator[Connection]:
        """A connection on which each statement is committed when it returns, or has done nothing.

        For reading, and for what writes by one statement: one trip to the server instead of three.
        """
        with storage_errors(self.engine), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def pipeline(self) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        """A connection of psycopg's whose statements travel together; committed when the block ends.

        Results can be read after the block, and not before: they would be waited for. Where a statement
        fails, nothing is kept: the pool undoes what a connection given back to it left open. BEGIN and
        COMMIT travel with the rest; each end of psycopg's own `transaction()` would wait for the server.
        """
        with storage_errors(self.engine), self.engine.connect() as connection:
            wire: psycopg.Connection[tuple[Any, ...]] = connection.connection.driver_connection  # type: ignore[assignment]
            try:
                with wire.pipeline():
                    wire.execute("BEGIN")
                    if self._told:
                        wire.execute(self._told)
                    yield wire
                    wire.execute("COMMIT")
            except psycopg.Error as error:
                if wire.closed or _is_stale(error):
                    connection.invalidate()  # SQLAlchemy has not seen it
                raise


@contextmanager
def storage_errors(engine: Engine) -> Iterator[None]:
    """Turn what passes by itself into StorageUnavailable or StorageBusy; leave other errors as they are.

    After an error that other connections would meet as well, none of the pool is used again.
    """
    try:
        yield
    except (SQLAlchemyError, psycopg.Error) as error:
        if _is_stale(error):
            engine.dispose()
        named = named_failure(error, engine.url)
        if named is None:
            raise
        raise named from error
    faults.OUTAGE.succeeded()


def named_failure(error: Exception, url: URL) -> StorageUnavailable | None:
    """Return what an error is that passes by itself, and have the log say so; None for any other.

    `url` is where the database should be.
    """
    state = _state(error)
    if state in _BUSY:
        return StorageBusy("the database could not do it in time")
    away = isinstance(error, (OperationalError, InterfaceError, PoolTimeout, *_DRIVER_AWAY))
    passes = state[:2] in _PASSING or state in (_READ_ONLY, *_ENDED, *faults.NOT_MIGRATED)
    if not away and not passes and not getattr(error, "connection_invalidated", False):
        return None
    if state[:2] == _LIMIT:
        return None
    fault = faults.fault_of(error, url)
    faults.OUTAGE.failed(fault)
    if fault.cause is Cause.NOT_MIGRATED:
        return NotMigrated("the database is not migrated", fault)
    if fault.cause is Cause.READ_ONLY:
        return StorageUnavailable("the database takes nothing now: it only reads", fault)
    return StorageUnavailable("the database did not answer", fault)


def _state(error: BaseException) -> str:
    """Return the SQLSTATE of an error of psycopg's, wrapped or not; '' where there is none."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def _is_stale(error: BaseException) -> bool:
    state = _state(error)
    return state in (_READ_ONLY, *_ENDED) or (state[:2] in _STALE and state not in _BUSY)


def _drop_stale(context: ExceptionContext) -> None:
    """Drop the connection, and all of its pool, after an error that the others would meet as well."""
    if context.original_exception is not None and _is_stale(context.original_exception):
        context.is_disconnect = True
