"""Starts the real thing for a measurement: an own database and virtual host, web processes and relay.

The database is one of its own on the server DATABASE_HOST names (DATABASE_PORT, DATABASE_USER and
DATABASE_PASSWORD as in the service), or on an embedded server started for the run. RabbitMQ is the
one on RABBITMQ_HOST (127.0.0.1), with a virtual host of its own made by `rabbitmqctl`.
"""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import psycopg

from benchmarks import machine
from benchmarks.broker import Broker
from dhos_connector_api.db.embedded import EmbeddedPostgres, free_port
from dhos_connector_api.db.engine import DatabaseAddress

_ROOT = Path(__file__).parents[1]
_START_SECONDS = 30
_STOP_SECONDS = 20
_PUBLISH_SECONDS = 120


class Bench:
    """A run of benchmarks. As a context manager it makes database and virtual host, and removes both."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self._keys = {"HS_KEY": secrets.token_hex(64), "EPR_SERVICE_ADAPTER_HS_KEY": secrets.token_hex(64)}
        self._stack = ExitStack()

    def __enter__(self) -> "Bench":
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="connector-bench-")))
        self.database = self._stack.enter_context(_own_database(self._folder, keep=self.options.keep))
        self.broker = self._stack.enter_context(Broker.own())
        self._run("migrate")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """What the Connector's processes are started with; everything not named here is at its default."""
        return {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
            **self._keys,
            **self.broker.environment,
            "PYTHONPATH": str(_ROOT),
            "ENVIRONMENT": "DEVELOPMENT",
            "PROXY_URL": "http://benchmark.invalid/",
            "EPR_SERVICE_ADAPTER_ISSUER": "http://epr.invalid/",
            **self.database.environment(),
            "SERVER_HOST": "127.0.0.1",
            "SERVER_PORT": str(self.port),
            "WEB_PROCESSES": str(self.options.web_processes),
            "LOCAL_STATE": str(self._folder / "state"),
        }

    def _run(self, *arguments: str) -> str:
        """The output of one command of the Connector."""
        command = [sys.executable, "-m", "dhos_connector_api", *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=self._folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip()

    def token(self, issuer: str) -> str:
        """A token that outlives the run, of `epr_adapter` or `internal`."""
        return self._run("token", "--issuer", issuer, "--seconds", "86400")

    @contextmanager
    def web(self) -> Iterator[int]:
        """The web processes, ready to serve. Gives the pid above them."""
        with self._process("serve") as process:
            self._wait_until_ready(process)
            yield process.pid

    @contextmanager
    def relay(self) -> Iterator[int]:
        """The relay. Gives its pid."""
        with self._process("relay") as process:
            yield process.pid

    @contextmanager
    def _process(self, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        with (
            (self._folder / f"{name}.log").open("ab") as log,
            self.process("dhos_connector_api", name, log.fileno()) as process,
        ):
            yield process
            if process.poll() is not None:
                raise SystemExit(f"{name} ended by itself:\n{self._log_of(name)}")

    @contextmanager
    def process(self, module: str, argument: str, output: int) -> Iterator["subprocess.Popen[bytes]"]:
        """`python -m module argument`, stopped at the end."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, argument],
            env=self.environment, cwd=self._folder, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log_of(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://{self.host}/ready", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise SystemExit(f"the web processes are not ready:\n{self._log_of('serve')}")

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        """An own connection to the database, every statement its own transaction."""
        return connect(self.database)

    def is_waiting(self) -> bool:
        """Whether an envelope waits for the relay."""
        with self.connect() as connection:
            row = connection.execute(
                "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL AND dead_at IS NULL)"
            ).fetchone()
        return bool(row and row[0])

    def wait_until_published(self) -> None:
        """Return once nothing waits for the relay any more."""
        deadline = time.monotonic() + _PUBLISH_SECONDS
        while self.is_waiting():
            if time.monotonic() > deadline:
                raise SystemExit("the relay does not publish what waits in the outbox")
            time.sleep(0.1)

    def postgres_pids(self) -> set[int]:
        """PostgreSQL's processes that work for us; empty when the server is on another machine."""
        if not _is_here(self.database.host):
            return set()
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND (datname = current_database()"
                " OR backend_type IN ('walwriter', 'checkpointer', 'background writer'))"
            ).fetchall()
        return {int(str(pid)) for (pid,) in rows}

    def versions(self) -> dict[str, str]:
        """PostgreSQL's and RabbitMQ's versions."""
        with self.connect() as connection:
            version = connection.execute("SHOW server_version").fetchone()
        return {"PostgreSQL": str(version[0] if version else "?"), "RabbitMQ": self.broker.version()}

    def meter(self, *, web: int | None = None, relay: int | None = None) -> machine.Meter:
        """A meter of the processes of this run."""
        groups: dict[str, Callable[[], Iterable[int]]] = {
            "web": lambda: machine.tree(web) if web else (),
            "relay": lambda: machine.tree(relay) if relay else (),
            "PostgreSQL": self.postgres_pids,
            "RabbitMQ": lambda: self.broker.pids,
            "load": lambda: (os.getpid(),),
        }
        return machine.Meter(groups)


def connect(address: DatabaseAddress) -> "psycopg.Connection[tuple[object, ...]]":
    """A connection in autocommit."""
    return psycopg.connect(
        host=address.host, port=address.port, dbname=address.name, user=address.user,
        password=address.password, autocommit=True,
    )  # fmt: skip


def _is_here(host: str) -> bool:
    return host.startswith("/") or host in ("127.0.0.1", "::1", "localhost")


@contextmanager
def _server(folder: Path) -> Iterator[DatabaseAddress]:
    if host := os.environ.get("DATABASE_HOST"):
        yield DatabaseAddress(
            host=host,
            port=int(os.environ.get("DATABASE_PORT", "5432")),
            name="postgres",
            user=os.environ.get("DATABASE_USER", "postgres"),
            password=os.environ.get("DATABASE_PASSWORD"),
        )
        return
    embedded = EmbeddedPostgres(folder / "postgres")
    try:
        yield embedded.start()
    finally:
        embedded.stop()
        shutil.rmtree(folder / "postgres", ignore_errors=True)


@contextmanager
def _own_database(folder: Path, *, keep: bool) -> Iterator[DatabaseAddress]:
    with _server(folder) as server, connect(server) as administration:
        name = f"connector_bench_{secrets.token_hex(4)}"
        administration.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield replace(server, name=name)
        finally:
            if keep:
                print(f"kept: database {name}")
            else:
                administration.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
