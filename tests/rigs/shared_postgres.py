"""The PostgreSQL that the tests of a run share, and a database of each worker's own on it.

With pytest-xdist the controller starts the server and tells the workers where it is. Each worker's database
is a copy of one template, which the first that needs it migrates.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, create_engine, text

from dhos_connector_api.db import migrate
from dhos_connector_api.db.embedded import EmbeddedPostgres
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options

#: What makes a server safe against a crash. Nobody crashes this one: those that are killed are a test's own.
_UNSAFE = ("fsync", "full_page_writes")
_INPUT = "postgres"


class SharedPostgres:
    """The server of DATABASE_HOST, or an embedded one that starts when it is first asked for."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._server: EmbeddedPostgres | None = None
        self._address: DatabaseAddress | None = None
        self.template = f"connector_template_{uuid4().hex[:12]}"

    def address(self) -> DatabaseAddress:
        """Return where it is."""
        if self._address is None:
            self._address = _named() or self._start()
        return self._address

    def _start(self) -> DatabaseAddress:
        self._folder = Path(tempfile.mkdtemp(prefix="connector-postgres-"))
        self._server = EmbeddedPostgres(self._folder)
        address = self._server.start()
        with administration(address) as connection:
            for each in _UNSAFE:
                connection.execute(text(f"ALTER SYSTEM SET {each} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        return address

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where the server is (a hook of pytest-xdist, which runs in the controller)."""
        node.workerinput[_INPUT] = (asdict(self.address()), self.template)

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind: neither the template on a server of others nor a server of ours."""
        if self._server is not None and self._folder is not None:
            self._server.stop()
            shutil.rmtree(self._folder, ignore_errors=True)
        elif self._address is not None:
            with administration(self._address) as connection:
                connection.execute(text(f'DROP DATABASE IF EXISTS "{self.template}"'))
        self._server = self._address = None


def _named() -> DatabaseAddress | None:
    """The server that DATABASE_HOST names."""
    if host := os.environ.get("DATABASE_HOST"):
        return DatabaseAddress(
            host=host,
            port=int(os.environ.get("DATABASE_PORT", "5432")),
            name=os.environ.get("DATABASE_NAME", "postgres"),
            user=os.environ.get("DATABASE_USER", "postgres"),
            password=os.environ.get("DATABASE_PASSWORD"),
        )
    return None


@contextmanager
def administration(server: DatabaseAddress) -> Iterator[Connection]:
    """A connection on which every statement commits by itself."""
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def temporary_database(
    server: DatabaseAddress, *, template: DatabaseAddress | None = None
) -> Iterator[DatabaseAddress]:
    """A new database on that server, empty or as the template is, dropped at the end."""
    name = f"connector_test_{uuid4().hex[:12]}"
    copied = f' TEMPLATE "{template.name}"' if template else ""
    with administration(server) as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"{copied}'))
    try:
        yield replace(server, name=name)
    finally:
        with administration(server) as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


_SHARED = pytest.StashKey[SharedPostgres]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the server of this run, unless the controller has: a worker of pytest-xdist is told where."""
    if not hasattr(config, "workerinput"):
        config.stash[_SHARED] = SharedPostgres()
        config.pluginmanager.register(config.stash[_SHARED])


def _given(config: pytest.Config) -> tuple[DatabaseAddress, str]:
    """The server, and the name of its template."""
    if told := getattr(config, "workerinput", {}).get(_INPUT):
        return DatabaseAddress(**told[0]), told[1]
    shared = config.stash[_SHARED]
    return shared.address(), shared.template


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> DatabaseAddress:
    """A PostgreSQL server: the one DATABASE_HOST names, or an embedded one for this run."""
    return _given(pytestconfig)[0]


@pytest.fixture(scope="session")
def template(pytestconfig: pytest.Config) -> DatabaseAddress:
    """A migrated database to copy: who comes first makes it, and then nobody is connected to it."""
    server, name = _given(pytestconfig)
    made = replace(server, name=name)
    with administration(server) as connection:
        connection.execute(text("SELECT pg_advisory_lock(hashtext(:name))"), {"name": name})
        known = text("SELECT FROM pg_database WHERE datname = :name")
        if not connection.execute(known, {"name": name}).all():
            connection.execute(text(f'CREATE DATABASE "{name}"'))
            engine = create_engine(made.url())
            migrate.upgrade(engine)
            engine.dispose()
    return made


@pytest.fixture(scope="session")
def address(postgres: DatabaseAddress, template: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database of this worker's own, migrated."""
    with temporary_database(postgres, template=template) as own:
        yield own


@pytest.fixture(scope="session")
def empty_database(postgres: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database of this worker's own, with nothing in it."""
    with temporary_database(postgres) as address:
        yield address


@pytest.fixture
def own_database(postgres: DatabaseAddress, template: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database of one test's own, migrated."""
    with temporary_database(postgres, template=template) as address:
        yield address


@pytest.fixture
def own_pool(own_database: DatabaseAddress) -> Iterator[Database]:
    """Connections to `own_database` for what takes long."""
    engine = create_engine(own_database.url(), **engine_options(pool_size=2, statement_timeout=60))
    yield Database(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def _session_database(address: DatabaseAddress) -> Iterator[Database]:
    engine = create_engine(address.url(), **engine_options(pool_size=20))
    yield Database(engine)
    engine.dispose()


@pytest.fixture
def database(_session_database: Database) -> Database:
    """The migrated database, empty."""
    with _session_database.transaction() as connection:
        connection.execute(text(_EMPTY))
    return _session_database


#: Empties every table that has rows; to ask is quicker than to truncate. The roles are part of the schema.
_EMPTY = """
DO $$
DECLARE each text; filled boolean; found text[];
BEGIN
    -- The audit trail refuses it otherwise.
    PERFORM set_config('session_replication_role', 'replica', true);
    FOR each IN SELECT quote_ident(relname) FROM pg_class
        WHERE relkind IN ('r', 'p') AND NOT relispartition AND relname NOT IN ('alembic_version', 'role')
            AND relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', each) INTO filled;
        IF filled THEN found := found || each; END IF;
    END LOOP;
    IF found IS NOT NULL THEN EXECUTE 'TRUNCATE ' || array_to_string(found, ', ') || ' CASCADE'; END IF;
END $$
"""
