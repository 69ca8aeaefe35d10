"""What processes log when they are told to stop: the signal, what was in hand, how long it took."""

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import DatabaseAddress
from dhos_connector_api.stopping import Stop
from tests.rigs.processes import Process, environment
from tests.rigs.waiting import eventually

_LISTENER = '[[listener]]\nname = "test"\nhost = "127.0.0.1"\nport = {port}\n'


def lines(output: Path, message: str) -> list[dict[str, Any]]:
    """The log lines of that message."""
    found = [json.loads(each) for each in output.read_text().splitlines() if each.startswith("{")]
    return [each for each in found if each["message"] == message]


def test_the_first_signal_counts_and_stopping_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    stop = Stop()
    assert not stop.is_set()
    for number in (signal.SIGTERM, signal.SIGINT):
        stop.told(number)
    assert stop.is_set()
    assert not caplog.records
    for left in (3, 2):
        stop.begins(requests=left)
    stop.ended(requests=0)
    told = [(record.message, vars(record)["signal"]) for record in caplog.records]
    assert told == [("stopping", "SIGTERM"), ("stopped", "SIGTERM")]
    assert vars(caplog.records[0])["in_hand"] == {"requests": 3}
    assert vars(caplog.records[1])["seconds"] >= 0


def test_the_relay_says_that_it_stops(address: DatabaseAddress, tmp_path: Path) -> None:
    with Process(["dhos_connector_api", "relay"], environment(address), tmp_path / "relay.log") as relay:
        eventually(lambda: lines(relay.output, "the relay is active"), seconds=30)
        assert relay.stop() == 0
    (began,), (ended,) = lines(relay.output, "stopping"), lines(relay.output, "stopped")
    assert (began["signal"], began["in_hand"]) == ("SIGTERM", {"envelopes": 0})
    assert (ended["signal"], ended["left"]) == ("SIGTERM", {})


@pytest.mark.slow
def test_every_process_says_that_it_stops(address: DatabaseAddress, tmp_path: Path) -> None:
    web, mllp = free_port(), free_port()
    (tmp_path / "listeners.toml").write_text(_LISTENER.format(port=mllp))
    more = {
        "SERVER_PORT": str(web),
        "MLLP_LISTENERS": str(tmp_path / "listeners.toml"),
        "MLLP_PROCESSES": "1",
    }
    environ = environment(address, SITE_CONFIG="docs/site-example.toml", **more)
    environ["MIRTH_HOST_URL_BASE"] = "http://127.0.0.1:1"
    expected = {
        "serve": {"processes", "requests", "connections", "killed"},
        "mllp": {"processes", "connections", "bytes", "killed"},
        "deliver": {"deliveries"},
    }
    for command, counted in expected.items():
        with Process(["dhos_connector_api", command], environ, tmp_path / f"{command}.log") as process:
            eventually(partial(_runs, command, process, web), seconds=60)
            assert process.stop() == 0
        told = [*lines(process.output, "stopping"), *lines(process.output, "stopped")]
        assert {each["signal"] for each in told} == {"SIGTERM"}
        assert {name for each in told for name in each.get("in_hand", {}) | each.get("left", {})} == counted


def _runs(command: str, process: Process, port: int) -> bool:
    """Whether it is at work; the delivery process, whether it catches SIGTERM."""
    if command == "serve":
        return requests.get(f"http://127.0.0.1:{port}/ready", timeout=2).ok
    if command == "mllp":
        return bool(lines(process.output, "listening"))
    status = Path(f"/proc/{process.popen.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)
