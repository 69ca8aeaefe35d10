"""The embedded PostgreSQL of `all`, killed: it is started again, and nothing acknowledged is lost."""

import os
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest
import requests

from dhos_connector_api.broker.address import BrokerAddress
from tests.rigs.ledger import Platform, Sender
from tests.rigs.load import Load
from tests.rigs.processes import Web, rabbitmq, without_database
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow


def _server(state: Path) -> psutil.Process:
    """The process that `postmaster.pid` names, once it takes connections."""
    lines = (state / "postgres" / "postmaster.pid").read_text().split()
    assert lines[-1] == "ready"
    return psutil.Process(int(lines[0]))


def _kill(state: Path) -> tuple[psutil.Process, list[psutil.Process]]:
    """Kill the server as `kill -9` does; return it and its children."""
    server = _server(state)
    children = server.children(recursive=True)
    os.kill(server.pid, signal.SIGKILL)
    return server, children


def _another(state: Path, than: psutil.Process) -> psutil.Process:
    found = _server(state)
    assert found.pid != than.pid
    return found


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_the_embedded_postgresql_is_started_again_and_nothing_acknowledged_is_lost(
    shared_rabbitmq: BrokerAddress, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)  # as root the embedded server runs as another user
    state = tmp_path / "state"
    platform, feeds = Platform(shared_rabbitmq), [Sender(f"FEED{number}") for number in range(4)]
    environ = without_database(LOCAL_STATE=str(state), **rabbitmq(shared_rabbitmq))
    with Web(environ, tmp_path, ("dhos_connector_api", "all")) as web:
        eventually(lambda: requests.get(f"{web.url}/ready", timeout=5).ok, seconds=60)
        with Load(web.url, feeds) as load:
            for _ in range(2):
                load.more(60)
                dead, orphans = _kill(state)
                eventually(partial(_another, state, dead), seconds=30)
                assert not [each for each in orphans if _alive(each)]
            load.more(60)
        platform.agree(*feeds)
        assert web.process.popen.poll() is None
        web.process.stop()
    assert "postgres" in web.process.output.read_text()


def test_what_stops_the_service_stops_a_server_that_was_started_again(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    state = tmp_path / "state"
    environ = without_database(LOCAL_STATE=str(state))
    with Web(environ, tmp_path, ("dhos_connector_api", "all")) as web:
        dead, _ = _kill(state)
        again = eventually(partial(_another, state, dead), seconds=30)
        assert web.process.stop() == 0
        assert not _alive(again)
