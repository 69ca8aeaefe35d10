"""One session of PostgreSQL: what it is told when it begins, and how long anything of it is waited for.

Connected is not writable: a server that only reads is none for us. What was committed is there: whatever a
role or a database says, no session of ours commits without waiting for the disk. And the server's own
deadlines hold only while it runs: one that stands still, or a commit that waits for a standby that has gone,
is given up here.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Connection, Engine, event, text

RV = TypeVar("RV")

#: Seconds until an attempt to connect gives up.
CONNECT_TIMEOUT = 3
#: Seconds that are waited for an answer beyond the time that the server gives a statement.
BEYOND_STATEMENT = 3.0
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
#: A stronger wish of the operator (`remote_apply`, say) stays.
_WAIT_FOR_THE_DISK = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)


def connect_arguments(name: str, session: Mapping[str, str]) -> dict[str, Any]:
    """Return what psycopg connects with: the `name` in pg_stat_activity, the settings of the `session`."""
    options = " ".join(f"-c {setting}={value}" for setting, value in session.items())
    return socket_arguments(name) | {"options": options}


def socket_arguments(name: str) -> dict[str, Any]:
    """Return what psycopg connects with whatever is behind the server's address: nothing of the session."""
    return {
        "connect_timeout": CONNECT_TIMEOUT,
        "application_name": name,
        "target_session_attrs": "read-write",
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": 5000,  # keepalives wait while something sent is not acknowledged
    }


class PatientConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives an answer `patience` seconds, and is closed when none has come by then."""

    patience: float | None = None

    def wait(self, gen: PQGen[RV], *given: Any, **options: Any) -> RV:
        """Return what the server answers. Raises OperationalError when it does not in time."""
        if self.patience is None:
            return super().wait(gen, *given, **options)
        try:
            return super().wait(gen, timeout=self.patience)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001  psycopg has no public name for it
            self.pgconn.finish()  # nobody knows any more what it will answer
            raise psycopg.OperationalError("the server did not answer in time") from error


def wait_as_long_as_it_takes(connection: Connection) -> None:
    """Give up no answer on this connection from now on, and have the server give up no statement."""
    connection.execute(text("SET statement_timeout = 0"))
    wire = connection.connection.driver_connection
    if isinstance(wire, PatientConnection):
        wire.patience = None


def open_patiently(engine: Engine, patience: float | None) -> None:
    """Make each connection of the engine a patient one (None: for ever), whose commits wait for the disk."""

    def connect(
        _dialect: object, _record: object, arguments: list[Any], parameters: dict[str, Any]
    ) -> PatientConnection:
        connection = PatientConnection.connect(*arguments, **parameters, autocommit=True)
        connection.patience = patience
        connection.execute(_WAIT_FOR_THE_DISK)
        connection.autocommit = False
        return connection

    event.listen(engine, "do_connect", connect)
