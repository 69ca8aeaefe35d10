"""The embedded PostgreSQL starts, stops, and survives a kill -9 of whoever started it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from dhos_connector_api.db import embedded
from dhos_connector_api.db.embedded import EmbeddedPostgres
from dhos_connector_api.db.engine import DatabaseAddress
from dhos_connector_api.errors import StorageUnavailable

#: What `all` does with it, as a process that can be killed: start, say where, live on.
# They share a server: one worker runs them all.
pytestmark = pytest.mark.xdist_group("embedded")

_OWNER = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from dhos_connector_api.db.embedded import EmbeddedPostgres
print(json.dumps(asdict(EmbeddedPostgres(Path(sys.argv[1])).start())), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "state")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[DatabaseAddress]:
    """A server on `folder` for the tests that only look at it."""
    server = EmbeddedPostgres(folder)
    yield server.start()
    server.stop()


def _query(address: DatabaseAddress, statement: str, **changes: object) -> object:
    parameters: dict[str, object] = {
        "host": address.host, "port": address.port, "dbname": address.name,
        "user": address.user, "password": address.password, "connect_timeout": 5, **changes,
    }  # fmt: skip
    with psycopg.connect(**parameters) as connection:  # type: ignore[arg-type]
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _processes(state: Path) -> list[psutil.Process]:
    return embedded._marked(state / "postgres")


def _until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def _owner(state: Path) -> tuple[subprocess.Popen[str], DatabaseAddress]:
    process = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, DatabaseAddress(**json.loads(process.stdout.readline()))


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_data_outlives_a_stop(server: EmbeddedPostgres, tmp_path: Path) -> None:
    first = server.start()
    _query(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    assert _processes(tmp_path / "state") == []
    assert _query(server.start(), "SELECT answer FROM kept") == 42


def test_it_is_durable_and_speaks_utf8(address: DatabaseAddress) -> None:
    for setting, wanted in {"fsync": "on", "synchronous_commit": "on", "server_encoding": "UTF8"}.items():
        assert _query(address, f"SHOW {setting}") == wanted


def test_other_users_do_not_get_in(address: DatabaseAddress, folder: Path) -> None:
    with pytest.raises(psycopg.OperationalError):
        _query(address, "SELECT 1", password="guessed")
    assert (folder / "postgres.json").stat().st_mode & 0o077 == 0
    assert (folder / "postgres").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_two_states_stand_side_by_side(address: DatabaseAddress, tmp_path: Path) -> None:
    other = EmbeddedPostgres(tmp_path / "other")
    try:
        other_address = other.start()
        _query(address, "CREATE TABLE here (id int)")
        assert _query(other_address, "SELECT to_regclass('here')") is None
    finally:
        other.stop()
    assert _query(address, "SELECT 1") == 1


def test_a_second_start_on_one_state_is_refused_and_harms_nothing(
    address: DatabaseAddress, folder: Path
) -> None:
    with pytest.raises(StorageUnavailable, match="another Connector"):
        EmbeddedPostgres(folder).start()
    assert _query(address, "SELECT 1") == 1


def test_other_processes_find_the_running_server(server: EmbeddedPostgres, tmp_path: Path) -> None:
    assert embedded.running(tmp_path / "state") is None
    address = server.start()
    assert embedded.running(tmp_path / "state") == address
    server.stop()
    assert embedded.running(tmp_path / "state") is None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_parent_leaves_no_server(tmp_path: Path) -> None:
    owner, _ = _owner(tmp_path)
    assert _processes(tmp_path)
    _kill(owner)
    _until(lambda: not _processes(tmp_path))


@pytest.mark.slow
def test_the_start_after_a_kill_works_at_once(server: EmbeddedPostgres, tmp_path: Path) -> None:
    owner, address = _owner(tmp_path / "state")
    _query(address, "CREATE TABLE kept AS SELECT 42 AS answer")
    _kill(owner)
    assert _query(server.start(), "SELECT answer FROM kept") == 42


@pytest.mark.slow
def test_a_server_that_outlived_its_parent_is_ended(server: EmbeddedPostgres, tmp_path: Path) -> None:
    """As on macOS, where the kernel does not end it."""
    server.start()
    data = tmp_path / "state" / "postgres"
    command = psutil.Process(int((data / "postmaster.pid").read_text().split()[0])).cmdline()
    server.stop()
    owner = data.stat().st_uid if os.geteuid() == 0 else None
    left = subprocess.Popen(command, cwd=data, user=owner, stderr=subprocess.DEVNULL)
    pid_file = data / "postmaster.pid"
    _until(lambda: pid_file.exists() and "ready" in pid_file.read_text())
    assert _query(server.start(), "SELECT 1") == 1
    assert left.wait(10) == 0  # a fast shutdown, with a checkpoint


@pytest.mark.slow
@pytest.mark.parametrize("pid", ["reused", "zombie", "garbage"])
def test_a_stale_pid_file_is_not_believed(server: EmbeddedPostgres, tmp_path: Path, pid: str) -> None:
    server.start()
    server.stop()
    bystander = subprocess.Popen(["sleep", "60"])
    if pid == "zombie":
        bystander.send_signal(signal.SIGKILL)
        _until(lambda: psutil.Process(bystander.pid).status() == psutil.STATUS_ZOMBIE)
    data = tmp_path / "state" / "postgres"
    first = "not a number" if pid == "garbage" else str(bystander.pid)
    (data / "postmaster.pid").write_text(f"{first}\n{data}\n1700000000\n5432\n\n127.0.0.1\n\nready   \n")
    try:
        assert _query(server.start(), "SELECT 1") == 1
        assert pid == "zombie" or bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.slow
def test_a_half_made_database_is_made_anew(server: EmbeddedPostgres, tmp_path: Path) -> None:
    half = tmp_path / "state" / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert _query(server.start(), "SELECT 1") == 1
    assert not half.exists()


def test_it_listens_on_this_machine_only(address: DatabaseAddress) -> None:
    assert _query(address, "SHOW listen_addresses") == "127.0.0.1"
    assert _query(address, "SHOW unix_socket_directories") == ""
