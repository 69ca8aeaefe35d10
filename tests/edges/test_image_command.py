"""The command `connector` as the image has it, and its health check."""

import re
import subprocess
import sys
import sysconfig
import threading
import venv
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dhos_connector_api.processes import health
from tests.rigs.processes import ROOT

SCRIPT = ROOT / "scripts/install_command.sh"


class _Answers(BaseHTTPRequestHandler):
    """Answers `/running` with 200, and everything else with 404."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/running" else 404)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: a test prints nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a process that is well."""
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("command", health.PORTS)
def test_each_command_is_asked_on_its_own_port(command: str, port: int) -> None:
    setting, _ = health.PORTS[command]
    assert health.problem(command, {setting: str(port)}) is None


def test_a_process_that_does_not_answer_is_named_with_its_port(port: int) -> None:
    assert health.problem("relay", {"RELAY_METRICS_PORT": "1"}) == (
        "relay does not answer on port 1: ConnectionRefusedError"
    )
    assert health.problem("relay", {}) == "RELAY_METRICS_PORT is not set, and relay answers there"


@pytest.mark.parametrize("given", ["", " ", "tcp://10.0.0.1:5000"])
def test_a_port_that_the_settings_ignore_is_ignored_here(
    given: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(health.PORTS, "serve", ("SERVER_PORT", str(port)))
    assert health.problem("serve", {"SERVER_PORT": given}) is None
    assert health.problem("serve", {"SERVER_PORT": f" {port} "}) is None


def test_a_command_that_ends_by_itself_is_well() -> None:
    assert health.problem(health.command_in(["connector", "migrate"]), {}) is None
    assert health.command_in(["/venv/bin/python", "/venv/bin/connector", "relay"]) == "relay"


def test_the_command_runs_from_anywhere(tmp_path: Path) -> None:
    """As the image installs it: an environment that finds the package where it was laid."""
    venv.create(tmp_path / "venv", with_pip=False)
    libraries = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    subprocess.run([SCRIPT, tmp_path / "venv", ROOT], check=True)
    run = subprocess.run(
        [tmp_path / "venv/bin/connector", "--version"], cwd="/", capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("connector, version ")


def test_the_dockerfile_starts_the_command_and_asks_every_process() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert 'ENTRYPOINT ["connector"]' in text
    check = re.search(r'^ +CMD \["python", "-m", "([\w.]+)"\]$', text, re.MULTILINE)
    assert check and check[1] == health.__name__
    asked = {setting for setting, otherwise in health.PORTS.values() if not otherwise}
    assert [name for name in sorted(asked) if not re.search(rf"\b{name}=\d+", text)] == []


def test_the_health_check_imports_little() -> None:
    """It runs every few seconds: none of the libraries that take a second to import."""
    code = (
        f"import sys, {health.__name__}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"flask", "connexion", "sqlalchemy", "click"} & set(run.stdout.split())
