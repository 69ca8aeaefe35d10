"""Starts the real thing for a measurement: an own database and virtual host, web processes and relay.

Which database that is `database.py` says; RabbitMQ is the one on RABBITMQ_HOST (127.0.0.1), with a
virtual host of its own made by `rabbitmqctl`.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType

import psycopg

from benchmarks import machine
from benchmarks.broker import Broker
from benchmarks.database import connect, is_here, own_database
from benchmarks.waiting import becomes, listens
from dhos_connector_api.db.embedded import free_port

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
        self.mllp_port = free_port()
        self._keys = {"HS_KEY": secrets.token_hex(64), "EPR_SERVICE_ADAPTER_HS_KEY": secrets.token_hex(64)}
        self._settings: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Bench":
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="connector-bench-")))
        self.database = self._stack.enter_context(own_database(self._folder, keep=self.options.keep))
        self.broker = self._stack.enter_context(Broker.own())
        self.command("migrate")
        text = (
            f'[[listener]]\nname = "bench"\nhost = "127.0.0.1"\nport = {self.mllp_port}\nframe_timeout = 5\n'
        )
        (self._folder / "listeners.toml").write_text(text)
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
            "MLLP_LISTENERS": str(self._folder / "listeners.toml"),
            "LOCAL_STATE": str(self._folder / "state"),
            **self._settings,
        }

    @contextmanager
    def settings(self, **more: str) -> Iterator[None]:
        """Start processes with these settings besides."""
        before, self._settings = self._settings, {**self._settings, **more}
        try:
            yield
        finally:
            self._settings = before

    def write(self, name: str, content: str) -> Path:
        """A file of that name that is gone after the run."""
        path = self._folder / name
        path.write_text(content)
        return path

    def command(self, *arguments: str) -> str:
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
        return self.command("token", "--issuer", issuer, "--seconds", "86400")

    @contextmanager
    def web(self) -> Iterator[int]:
        """The web processes, ready to serve. Gives the pid above them."""
        with self._process("serve") as process:
            self._wait_until("serve", process, self._is_ready)
            yield process.pid

    @contextmanager
    def relay(self) -> Iterator[int]:
        """The relay. Gives its pid."""
        with self._process("relay") as process:
            yield process.pid

    @contextmanager
    def deliver(self) -> Iterator[int]:
        """The delivery process. Gives its pid."""
        with self._process("deliver") as process:
            yield process.pid

    @contextmanager
    def consume(self) -> Iterator[int]:
        """A consuming process. Gives its pid."""
        with self._process("consume") as process:
            yield process.pid

    @contextmanager
    def mllp(self) -> Iterator[int]:
        """The MLLP process, listening on `mllp_port` of 127.0.0.1. Gives its pid."""
        with self._process("mllp") as process:
            self._wait_until("mllp", process, lambda: listens(self.mllp_port))
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

    def _wait_until(self, name: str, process: "subprocess.Popen[bytes]", is_up: Callable[[], bool]) -> None:
        """Return once it is up. Raises SystemExit, with its log, when it is not, or has ended."""
        becomes(lambda: process.poll() is not None or is_up(), within=_START_SECONDS)
        if process.poll() is not None or not is_up():
            raise SystemExit(f"{name} is not ready:\n{self._log_of(name)}")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.host}/ready", timeout=2):
                return True
        except OSError:  # also answers that are not 200
            return False

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        """An own connection to the database, every statement its own transaction."""
        return connect(self.database)

    def count(self, query: str) -> int:
        """The one number that a query gives."""
        with self.connect() as connection:
            row = connection.execute(query.encode()).fetchone()
        return int(str(row[0] if row else 0))

    def is_waiting(self) -> bool:
        """Whether an envelope waits for the relay."""
        waiting = "SELECT FROM outbox WHERE published_at IS NULL AND dead_at IS NULL"
        return bool(self.count(f"SELECT (EXISTS ({waiting}))::int"))

    def wait_until_published(self) -> None:
        """Return once nothing waits for the relay any more."""
        if not becomes(lambda: not self.is_waiting(), within=_PUBLISH_SECONDS):
            raise SystemExit("the relay does not publish what waits in the outbox")

    def postgres_pids(self) -> set[int]:
        """PostgreSQL's processes that work for us; empty when the server is on another machine."""
        if not is_here(self.database.host):
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

    def meter(
        self,
        *,
        web: int | None = None,
        relay: int | None = None,
        deliver: int | None = None,
        mllp: int | None = None,
    ) -> machine.Meter:
        """A meter of the processes of this run: those started for it, and what they work with."""
        started = {"web": web, "mllp": mllp, "relay": relay, "deliver": deliver}
        groups: dict[str, Callable[[], Iterable[int]]] = {
            name: partial(machine.tree, pid) for name, pid in started.items() if pid
        }
        groups |= {
            "PostgreSQL": self.postgres_pids,
            "RabbitMQ": lambda: self.broker.pids,
            "load": lambda: (os.getpid(),),
        }
        return machine.Meter(groups)
