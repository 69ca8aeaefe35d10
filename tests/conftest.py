"""Fixtures for every test: a real PostgreSQL, migrated once, emptied before each test."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import create_engine, text

from dhos_connector_api.app import rooms
from dhos_connector_api.db import migrate
from dhos_connector_api.db.embedded import EmbeddedPostgres
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from dhos_connector_api.db.metadata import db

pytest_plugins = ["tests.rigs.broker_fixtures", "tests.rigs.own_postgres"]

# How fast examples are made says how busy the machine is, and nothing of the code.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")

#: Set in CI, where everything a test needs has to be there.
NO_SKIPS = bool(os.environ.get("CONNECTOR_NO_SKIPS"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if NO_SKIPS and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("a test was skipped, and CONNECTOR_NO_SKIPS does not allow it", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseAddress]:
    """A PostgreSQL server: the one DATABASE_HOST names, or an embedded one for this run."""
    if host := os.environ.get("DATABASE_HOST"):
        yield DatabaseAddress(
            host=host,
            port=int(os.environ.get("DATABASE_PORT", "5432")),
            name=os.environ.get("DATABASE_NAME", "postgres"),
            user=os.environ.get("DATABASE_USER", "postgres"),
            password=os.environ.get("DATABASE_PASSWORD"),
        )
        return
    server = EmbeddedPostgres(Path(tmp_path_factory.mktemp("postgres")))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def empty_database(postgres: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database of this run's own, with nothing in it."""
    with temporary_database(postgres) as address:
        yield address


@contextmanager
def temporary_database(server: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A new database on that server, dropped at the end."""
    name = f"connector_test_{uuid4().hex[:12]}"
    administration = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        yield replace(server, name=name)
    finally:
        with administration.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        administration.dispose()


@pytest.fixture(scope="session")
def address(postgres: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database of this run's own, migrated."""
    with temporary_database(postgres) as own:
        engine = create_engine(own.url())
        migrate.upgrade(engine)
        engine.dispose()
        yield own


@pytest.fixture
def own_database(postgres: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database of one test's own, with nothing in it."""
    with temporary_database(postgres) as address:
        yield address


@pytest.fixture(scope="session")
def _session_database(address: DatabaseAddress) -> Iterator[Database]:
    engine = create_engine(address.url(), **engine_options(pool_size=20))
    yield Database(engine)
    engine.dispose()


@cache
def _tables() -> list[str]:
    """The tables that the rooms declare."""
    rooms.import_all("models")
    return [table.name for table in db.metadata.sorted_tables]


@pytest.fixture
def database(_session_database: Database) -> Database:
    """The migrated database, empty."""
    with _session_database.transaction() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(_tables())}"))
    return _session_database
