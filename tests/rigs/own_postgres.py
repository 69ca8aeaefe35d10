"""A PostgreSQL server of a test's own on a fixed port, to be killed and started again."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
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


def answers(address: DatabaseAddress) -> bool:
    """Return True; raises what the driver raises where nobody lets us in there."""
    engine = create_engine(address.url())
    with engine.connect():
        pass
    engine.dispose()
    return True


class OwnPostgres:
    """The embedded server's data folder, served by a process that the test starts and kills."""

    def __init__(self, folder: Path, *options: str) -> None:
        made = EmbeddedPostgres(folder)
        first = made.start()
        made.stop()
        self._serve(folder, replace(first, host="127.0.0.1", port=free_port()), options)

    def _serve(self, folder: Path, address: DatabaseAddress, options: Sequence[str]) -> None:
        self.data = folder / "postgres"
        self._log = (folder / "own.log").open("ab")
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.address = address

    def standby(self, folder: Path, *, host: str | None = None) -> "OwnPostgres":
        """Return a hot standby, which is to be started; this server is started anew meanwhile.

        On a `host` of its own it has the same port.
        """
        self.shut_down()
        programs = Programs.for_data(self.data)
        folder.mkdir()
        shutil.copytree(self.data, folder / "postgres")
        (folder / "postgres" / "standby.signal").touch()
        for each in [folder, *folder.rglob("*")]:
            os.chown(each, programs.user or -1, programs.group or -1)
        self.start()
        found = OwnPostgres.__new__(OwnPostgres)
        address = self.address
        source = f"host={address.host} port={address.port} user={address.user} password={address.password}"
        place = {"host": host} if host else {"port": free_port()}
        found._serve(folder, replace(address, **place), [f"--primary_conninfo={source}"])
        return found

    def shut_down(self) -> None:
        """Stop it in good order; connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def run(self, statement: str) -> None:
        """Execute a statement by itself, on a connection of its own."""
        engine = create_engine(self.address.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def start(self) -> None:
        """Start it and wait until it answers; after a kill it recovers first."""
        eventually(self._started, seconds=60)

    def _started(self) -> bool:
        """Start the process unless it runs: it ends at once while children of a killed one live."""
        if self._process is None or self._process.poll() is not None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            options = (
                f"--port={self.address.port}",
                f"--listen_addresses={self.address.host}",
                "--unix_socket_directories=",
                *self._options,
            )
            programs = Programs.for_data(self.data)
            self._process = programs.start("postgres", *options, folder=self.data, log=self._log)
        return answers(self.address)

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
