"""`run_local.sh` from the first start to the last: what a newcomer does, typed as the greeting says."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dhos_connector_api.db.embedded import free_port
from tests.rigs.processes import ROOT
from tests.rigs.waiting import eventually


class Local:
    """One machine's installation: its folder, its port, and what it printed last."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.output = folder / "output"
        self.environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        self.environ |= {"LOCAL_STATE": str(folder / "state"), "CONNECTOR_PYTHON": sys.executable}
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it; what it greets with, once it serves."""
        with self.output.open("wb") as output:
            self.running = subprocess.Popen(
                ["./run_local.sh", str(self.port)],
                env=self.environ, cwd=ROOT, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        eventually(lambda: "Ctrl-C" in self.output.read_text(), seconds=60)
        eventually(lambda: self.shell(f"curl -sf http://127.0.0.1:{self.port}/ready"), seconds=60)
        return self.output.read_text()

    def shell(self, command: str) -> str:
        """What a shell command prints."""
        done = subprocess.run(
            ["bash", "-c", command], env=self.environ, cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout

    def left(self) -> list[str]:
        """Processes that know our state folder and still run."""
        found = []
        for each in psutil.process_iter():
            try:
                if self.environ["LOCAL_STATE"] in each.environ().get("LOCAL_STATE", ""):
                    found.append(" ".join(each.cmdline()))
            except psutil.Error:
                continue
        return found

    def end(self, number: signal.Signals) -> None:
        """Signal the shell's whole foreground (Ctrl-C), or the one process (kill -9)."""
        assert self.running is not None
        if number is signal.SIGINT:
            os.killpg(self.running.pid, number)
        else:
            self.running.send_signal(number)
        self.running.wait(60)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    tmp_path.chmod(0o755)  # as root the embedded server runs as another user
    one = Local(tmp_path)
    yield one
    if one.running is not None and one.running.poll() is None:
        one.end(signal.SIGKILL)


@pytest.mark.slow
def test_a_newcomer_starts_it_posts_a_message_kills_it_and_starts_it_again(local: Local) -> None:
    greeting = local.start()
    typed = greeting[greeting.index("TOKEN=") : greeting.index("Ctrl-C")]
    first = local.shell(typed)
    assert re.search(r"^MSA\|AA\|DEMO0001$", first, re.MULTILINE)
    assert local.shell("./run_local.sh messages list").count("DEMO0001") == 1
    assert len(local.shell("./run_local.sh token").split(".")) == 3
    login = greeting[greeting.index("  curl -s http", greeting.index("Log in as admin")) :].splitlines()[0]
    pair = json.loads(local.shell(login))
    url = f"http://127.0.0.1:{local.port}/api/auth/users/me/"
    me = local.shell(f"curl -s {url} -H 'Authorization: Bearer {pair['access']}'")
    assert [each["name"] for each in json.loads(me)["roles"]] == ["PX Admin"]

    local.end(signal.SIGKILL)
    eventually(lambda: not local.left(), seconds=30)
    again = local.start()
    assert "Log in as" not in again
    assert re.search(r"MSA\|AA\|DEMO0001", local.shell(again[again.index("TOKEN=") : again.index("Ctrl-C")]))
    assert local.shell("./run_local.sh messages list").count("DEMO0001") == 1  # kept, and known again

    local.end(signal.SIGINT)
    eventually(lambda: not local.left(), seconds=30)
