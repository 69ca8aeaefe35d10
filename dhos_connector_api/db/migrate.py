"""Bringing the database to the newest migration, and asking whether it is there."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

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


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up to `revision`, alone: whoever comes second finds the work done.

    Raises StorageUnavailable.
    """
    _run(command.upgrade, engine, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Undo migrations down to `revision` (`base`: all of them). Raises StorageUnavailable."""
    _run(command.downgrade, engine, revision)


def _run(migrate: Callable[[Config, str], None], engine: Engine, revision: str) -> None:
    with storage_errors(engine), _locked(engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        migrate(config, revision)


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
    current = MigrationContext.configure(connection).get_current_revision()
    return current is not None and (current == _head() or current not in _known())
