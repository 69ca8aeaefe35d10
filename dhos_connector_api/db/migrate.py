"""Bringing the database to the newest migration, and asking whether it is there."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from dhos_connector_api.db.engine import storage_errors
from dhos_connector_api.db.session import wait_as_long_as_it_takes

FOLDER = Path(__file__).parents[2] / "migrations"
#: Session advisory lock: pods that start together migrate one after the other.
_LOCK = 7_246_001


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config


def upgrade(engine: Engine, revision: str = "head") -> bool:
    """Run the migrations up to `revision`, alone: whoever comes second finds the work done.

    Return False, with nothing done, where the database has a migration that this build does not know: a newer
    build has been here, and its schema keeps the build before it working. Raises StorageUnavailable.
    """
    return _run(command.upgrade, engine, revision, unless_newer=True)


def downgrade(engine: Engine, revision: str) -> None:
    """Undo migrations down to `revision` (`base`: all of them). Raises StorageUnavailable."""
    _run(command.downgrade, engine, revision)


def _run(
    migrate: Callable[[Config, str], None], engine: Engine, revision: str, *, unless_newer: bool = False
) -> bool:
    with storage_errors(engine), _locked(engine) as connection:
        if unless_newer and _is_newer(_current(connection)):
            return False
        connection.rollback()  # alembic begins transactions of its own
        config = _config()
        config.attributes["connection"] = connection
        migrate(config, revision)
    return True


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_newer(revision: str | None) -> bool:
    return revision is not None and revision not in _known()


def _locked(engine: Engine) -> Connection:
    """A connection that holds the migration lock until it is closed, and waits for whatever takes long."""
    connection = engine.execution_options(isolation_level="READ COMMITTED").connect()
    wait_as_long_as_it_takes(connection)
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
    connection.commit()
    connection.detach()
    return connection


@cache
def _known() -> frozenset[str]:
    """Every migration of this version of the code."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


@cache
def _head() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_at_head(connection: Connection) -> bool:
    """Return whether the database has every migration of this version of the code.

    One that this version does not know is a newer one: it keeps the version before it working.
    """
    current = _current(connection)
    return current is not None and (current == _head() or _is_newer(current))


def state(connection: Connection) -> dict[str, Any]:
    """Return the migration the database is at, the newest known here, and whether the first will do."""
    return {
        "current": _current(connection),
        "newest_known": _head(),
        "is_at_head": is_at_head(connection),
    }
