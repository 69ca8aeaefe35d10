"""Real processes of the Connector for tests: started by the command line, killed for real."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import requests

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import DatabaseAddress
from tests.builders.rows import INTERNAL_KEY, ISSUER
from tests.rigs.waiting import eventually

ROOT = Path(__file__).parents[2]


def environment(database: DatabaseAddress, **more: str) -> dict[str, str]:
    """The environment of a process that uses that database; `more` are further variables."""
    return without_database(**(database.environment() | more))


def without_database(**more: str) -> dict[str, str]:
    """The environment of a process that has an embedded database, or none."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return kept | {
        "ENVIRONMENT": "DEVELOPMENT",
        "PROXY_URL": ISSUER,
        "HS_KEY": INTERNAL_KEY,
        "LOG_FORMAT": "json",
        "WEB_PROCESSES": "1",
        "CONSUME_PROCESSES": "0",
        "SERVER_HOST": "127.0.0.1",
        **more,
    }


def rabbitmq(address: BrokerAddress) -> dict[str, str]:
    """The variables of a process that uses that virtual host."""
    return {
        "RABBITMQ_HOST": address.host,
        "RABBITMQ_PORT": str(address.port),
        "RABBITMQ_VHOST": address.vhost,
    }


class Process:
    """One process of the Connector; `output` is the file with everything it printed."""

    def __init__(self, arguments: list[str], environ: dict[str, str], output: Path) -> None:
        self.output = output
        self._file = output.open("ab")
        self.popen = subprocess.Popen(
            [sys.executable, "-m", *arguments], env=environ, cwd=ROOT, stdout=self._file, stderr=self._file
        )

    def kill(self) -> None:
        """As `kill -9` does."""
        self.popen.kill()
        self.popen.wait()

    def stop(self) -> int:
        """As Kubernetes does: SIGTERM, then wait for the exit status; a crash fails with what was printed."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        status = self.popen.wait(timeout=60)
        assert status not in (-signal.SIGSEGV, -signal.SIGABRT), self.output.read_text()[-8000:]
        return status

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.popen.poll() is None:
            self.kill()
        self._file.close()


def relay(environ: dict[str, str], folder: Path, module: str = "dhos_connector_api", *point: str) -> Process:
    """The relay; `module` and `point` start it so that it is killed (`tests.rigs.kill_points`)."""
    return Process([module, *point, "relay"], environ, folder / "relay.log")


class Web:
    """A web process and how to talk to it."""

    def __init__(
        self,
        environ: dict[str, str],
        folder: Path,
        module: tuple[str, ...] = ("dhos_connector_api", "web"),
        *,
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environ = environ | {"SERVER_PORT": str(self.port)}
        self.process = Process(list(module), environ, folder / f"web-{self.port}.log")
        try:
            eventually(lambda: requests.get(f"{self.url}/running", timeout=1).ok, seconds=60)
        except AssertionError:
            self.process.__exit__(None, None, None)
            raise

    def kill_a_child(self, command: str = "web") -> None:
        """Kill -9 a process of a supervisor that runs this command."""
        supervisor = self.process.popen.pid
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        for child in children:
            if command.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                os.kill(int(child), signal.SIGKILL)
                return
        raise AssertionError(f"no {command} process runs")

    def __enter__(self) -> "Web":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.__exit__(kind, error, trace)
