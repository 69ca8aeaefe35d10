"""PostgreSQL behind a pooler that lends a session for each transaction: PgBouncer in transaction mode.

Nothing can be asked of a session there: no settings at its start, no prepared statements, no lock that
outlives a transaction. Deadlines are told to each transaction; for a statement by itself there is only our
own patience. What every session must do, wait for the disk, its role or database has to say.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from dhos_connector_api.causes import Cause
from dhos_connector_api.db import faults
from dhos_connector_api.db.session import PatientConnection, socket_arguments
from dhos_connector_api.errors import StorageUnavailable

#: PgBouncer keeps this one for each client, as it is told of it by the server.
_UTC = "SET timezone = 'UTC'"
_WAITS_FOR_THE_DISK = "SELECT current_setting('synchronous_commit') NOT IN ('off', 'local')"


@dataclass(frozen=True, slots=True)
class TransactionTimeouts:
    """Seconds that a statement may take, and may wait for a lock (0: as long as it may take)."""

    statement_timeout: float
    lock_timeout: float

    @property
    def statement(self) -> str:
        """Return what tells the server so for the transaction that is open."""
        return (
            f"SELECT set_config('statement_timeout', '{int(self.statement_timeout * 1000)}', true),"
            f" set_config('lock_timeout', '{int(self.lock_timeout * 1000)}', true)"
        )


def pooled_arguments(name: str) -> dict[str, Any]:
    """Return what psycopg connects with: no settings of a session, and no prepared statements."""
    return socket_arguments(name) | {"prepare_threshold": None}


def open_through_pooler(engine: Engine, patience: float) -> None:
    """Make each connection of the engine a patient one, and look whether commits wait for the disk.

    A connection raises StorageUnavailable where they do not.
    """

    def connect(
        _dialect: object, _record: object, arguments: list[Any], parameters: dict[str, Any]
    ) -> psycopg.Connection[tuple[Any, ...]]:
        connection = PatientConnection.connect(*arguments, **parameters, autocommit=True)
        connection.patience = patience
        connection.execute(_UTC)
        if connection.execute(_WAITS_FOR_THE_DISK).fetchone() != (True,):
            connection.close()
            fault = faults.fault_at(engine.url, Cause.NOT_DURABLE)
            faults.OUTAGE.failed(fault)
            raise StorageUnavailable("PostgreSQL runs with synchronous_commit off", fault)
        connection.autocommit = False
        return connection

    event.listen(engine, "do_connect", connect)
