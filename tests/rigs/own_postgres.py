"""A PostgreSQL server of a test's own on a fixed port, to be killed and started again."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api.db import migrate
from dhos_connector_api.db.embedded import EmbeddedPostgres, free_port
from dhos_connector_api.db.embedded_account import Programs
from dhos_connector_api.db.engine import DatabaseAddress
from tests.rigs.waiting import eventually


class Frozen:
    """A process and its children that stand still."""

    def __init__(self, pid: int) -> None:
        server = psutil.Process(pid)
        server.suspend()
        self._processes = [server, *server.children(recursive=True)]
        for each in self._processes:
            each.suspend()

    def thaw(self) -> None:
        """Continue them."""
        for each in self._processes:
            with suppress(psutil.NoSuchProcess):
                each.resume()


class OwnPostgres:
    """The embedded server's data folder, served by a process that the test starts and kills."""

    def __init__(self, folder: Path) -> None:
        made = EmbeddedPostgres(folder)
        first = made.start()
        made.stop()
        self._data = folder / "postgres"
        self._log = (folder / "own.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.address = DatabaseAddress("127.0.0.1", free_port(), first.name, first.user, first.password)

    def start(self) -> None:
        """Start it and wait until it answers; after a kill it recovers first."""
        eventually(self._started, seconds=60)

    def _started(self) -> bool:
        """Start the process unless it runs: it ends at once while children of a killed one live."""
        if self._process is None or self._process.poll() is not None:
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            options = (
                f"--port={self.address.port}",
                "--listen_addresses=127.0.0.1",
                "--unix_socket_directories=",
            )
            programs = Programs.for_data(self._data)
            self._process = programs.start("postgres", *options, folder=self._data, log=self._log)
        return self._answers()

    def _answers(self) -> bool:
        engine = create_engine(self.address.url())
        with engine.connect():
            pass
        engine.dispose()
        return True

    def freeze(self) -> "Frozen":
        """Stop the server and all its children as SIGSTOP does: connections stay, nothing is answered."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return Frozen(self._process.pid)

    def count(self, query: str) -> int:
        """Return the one number that a query gives."""
        engine = create_engine(self.address.url())
        with engine.connect() as connection:
            found: int = connection.execute(text(query)).scalar_one()
        engine.dispose()
        return found

    def kill(self) -> None:
        """Kill -9 the server; its children leave when they notice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        self._log.close()


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[OwnPostgres]:
    """A running server of this test's own, its database migrated."""
    server = OwnPostgres(tmp_path / "own")
    server.start()
    try:
        engine = create_engine(server.address.url())
        migrate.upgrade(engine)
        engine.dispose()
        yield server
    finally:
        server.close()
