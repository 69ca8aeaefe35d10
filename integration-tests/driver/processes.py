"""The whole stack as processes on this machine, without Docker: what docker-compose.yml says, in Python."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import requests
from sqlalchemy import Engine, create_engine, text

from dhos_connector_api.db.embedded import EmbeddedPostgres
from dhos_connector_api.db.engine import DatabaseAddress
from driver.waiting import PATIENCE, eventually

#: Seconds the Connector may take to be ready, on a machine that has much else to do.
_START = 60.0
_CONNECTOR = (sys.executable, "-m", "dhos_connector_api")


class Process:
    """One command with its own environment; what it prints goes to a log file."""

    def __init__(self, command: tuple[str, ...], environ: Mapping[str, str], log: Path) -> None:
        self._command, self._environ, self._log = command, dict(environ), log
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; nothing happens when it runs already."""
        if self._running is None or self._running.poll() is not None:
            with self._log.open("ab") as log:
                self._running = subprocess.Popen(
                    self._command, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )

    def kill(self) -> None:
        """End it as kill -9 does."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def stop(self) -> None:
        """Ask it to end, as Kubernetes does; kill it if it does not. Raises AssertionError then."""
        if self._running is None or self._running.poll() is not None:
            return
        self._running.terminate()
        try:
            self._running.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self._log.stem} did not stop on SIGTERM") from None


class LocalStack:
    """Every process of the test. `state` is a folder for the database and the logs."""

    def __init__(self, state: Path, environ: Mapping[str, str]) -> None:
        self._state = state
        self._environ = dict(environ)
        self._undo = ExitStack()
        self.relay: Process
        self.deliver: Process
        self.consume: Process  # starts where a scenario wants it: what is bound elsewhere is nobody's then
        self.connector: dict[str, str] = {}  # the environment of the Connector's commands

    def start(self) -> dict[str, str]:
        """Start everything; the environment the steps need, as docker-compose.yml gives it."""
        self._choose_addresses()
        connector = self.connector = self._connector_environment()
        subprocess.run((*_CONNECTOR, "migrate"), env=connector, check=True, stdout=subprocess.DEVNULL)
        for fake in ("trustomer", "epr", "mirth", "network"):
            self._begin(fake, (sys.executable, "-m", f"fakes.{fake}"), self._environ)
        self.relay = self._begin("relay", (*_CONNECTOR, "relay"), connector)
        self.deliver = self._begin("deliver", (*_CONNECTOR, "deliver"), connector)
        self.consume = Process((*_CONNECTOR, "consume"), connector, self._state / "consume.log")
        self._undo.callback(self.consume.stop)
        different = {"HL7_DUPLICATE_POLICY": "reject", "MIRTH_HOST_URL_BASE": "", "WEB_PROCESSES": "1"}
        serving = {"CONNECTOR_URL": connector, "OTHER_CONNECTOR_URL": connector | different}
        for name, environ in serving.items():
            service = name.removesuffix("_URL")
            ports = {
                "SERVER_PORT": _port(self._environ[name]),
                "METRICS_PORT": _port(self._environ[f"{service}_METRICS_URL"]),
            }
            self._begin(service.lower(), (*_CONNECTOR, "serve"), environ | ports)
        for name in serving:
            eventually(partial(_is_ready, self._environ[name]), f"ready Connector at {name}", _START)
        return self._environ

    def _connector_environment(self) -> dict[str, str]:
        """What the Connector's processes are started with; makes their database."""
        server = self._database()
        name = f"connector_{uuid4().hex[:12]}"
        self._undo.enter_context(_own_database(server, name))
        return self._environ | {
            "DATABASE_HOST": server.host,
            "DATABASE_PORT": str(server.port),
            "DATABASE_NAME": name,
            "DATABASE_USER": server.user,
            "DATABASE_PASSWORD": server.password or "not-asked-for",
            "RABBITMQ_HOST": "127.0.0.1",
            "RABBITMQ_PORT": self._environ["NEAR_RABBITMQ_PORT"],
            "SERVER_HOST": "127.0.0.1",
        }

    def _choose_addresses(self) -> None:
        """Free ports for everything, under the names docker-compose.yml uses."""
        found = (f"127.0.0.1:{port}" for port in _free_ports(11))
        web, other, metrics, other_metrics, trustomer, epr, mirth, control, *near = found
        rabbitmq = self._environ["RABBITMQ_HOST"], self._environ["RABBITMQ_PORT"]
        lines = zip(("rabbitmq", "epr", "mirth"), near, (":".join(rabbitmq), epr, mirth), strict=True)
        self._environ |= {
            "CONNECTOR_URL": f"http://{web}",
            "CONNECTOR_METRICS_URL": f"http://{metrics}",
            "OTHER_CONNECTOR_URL": f"http://{other}",
            "OTHER_CONNECTOR_METRICS_URL": f"http://{other_metrics}",
            "DHOS_TRUSTOMER_API_HOST": f"http://{trustomer}",
            "TRUSTOMER_LISTEN": trustomer,
            "EPR_URL": f"http://{epr}",
            "EPR_LISTEN": epr,
            "EPR_SERVICE_ADAPTER_URL_BASE": f"http://{near[1]}",
            "MIRTH_URL": f"http://{mirth}",
            "MIRTH_LISTEN": mirth,
            "MIRTH_HOST_URL_BASE": f"http://{near[2]}/services/Mirth",
            "BEHIND_NETWORK_HOST": rabbitmq[0],
            "BEHIND_NETWORK_PORT": rabbitmq[1],
            "NEAR_RABBITMQ_PORT": _port(near[0]),
            "NETWORK_LINES": " ".join("=".join(line) for line in lines),
            "NETWORK_CONTROL": control,
        }

    def stop(self) -> None:
        """Stop everything, in the opposite order."""
        self._undo.close()

    def _begin(self, name: str, command: tuple[str, ...], environ: Mapping[str, str]) -> Process:
        process = Process(command, environ, self._state / f"{name}.log")
        process.start()
        self._undo.callback(process.stop)
        return process

    def _database(self) -> DatabaseAddress:
        """The server DATABASE_HOST names, or an embedded one."""
        if host := self._environ.get("DATABASE_HOST"):
            get = self._environ.get
            return DatabaseAddress(
                host,
                int(get("DATABASE_PORT", "5432")),
                get("DATABASE_NAME", "postgres"),
                get("DATABASE_USER", "postgres"),
                get("DATABASE_PASSWORD"),
            )
        server = EmbeddedPostgres(self._state)
        self._undo.callback(server.stop)
        return server.start()


@contextmanager
def _own_database(server: DatabaseAddress, name: str) -> Iterator[None]:
    """A new database on that server, dropped at the end."""
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    try:
        _run(engine, f'CREATE DATABASE "{name}"')
        yield
        _run(engine, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        engine.dispose()


def _run(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.execute(text(statement))


def _free_ports(number: int) -> list[int]:
    """Ports nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/ready", timeout=5).status_code == requests.codes.ok
    except requests.ConnectionError:
        return False
