"""Runs the processes of `serve` and `all`, starts again what dies, and leaves none behind.

Children are ended by the kernel when this process is killed (Linux; see `child_process.py`). What is
promised to senders does not depend on a clean end, so these get SIGKILL then, which nothing can miss.
"""

import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from dhos_connector_api import shared_metrics
from dhos_connector_api.child_process import dies_with_parent
from dhos_connector_api.errors import ConnectorError
from dhos_connector_api.stopping import Stop

_logger = logging.getLogger(__name__)

#: Seconds until the second, third ... start of a child that keeps dying.
_BACKOFF = (0.2, 0.5, 1, 2, 5, 10, 30)
#: Seconds after which a child counts as well.
_WELL = 10
#: Seconds children have to end beyond what the slowest of them takes for what it has in hand.
LONGER_THAN_A_CHILD = 5
#: Signals after which children are not waited for any longer.
_IMPATIENT = 2


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running: its name in the log, and its command line."""

    name: str
    argv: Sequence[str]

    def start(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the process, which ends with this one."""
        return subprocess.Popen(
            self.argv, env=environment, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGKILL),  # noqa: PLW1509 - the supervisor has no threads
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Server:
    """A server that the children need: it runs already, and whoever started it stops it after them.

    `start_again` starts what has died, and returns its process.
    """

    name: str
    process: subprocess.Popen[bytes]
    start_again: Callable[[], subprocess.Popen[bytes]]

    def start(self, _environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the server again."""
        return self.start_again()


@dataclass(slots=True)
class _Running:
    """A child with its process, or with the time at which it starts again."""

    child: Child | Server
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    starts: int = 0
    deaths_in_a_row: int = 0


@dataclass(slots=True)
class Supervisor:
    """Keeps children running until a signal says stop.

    `environment` is what children see; PROMETHEUS_MULTIPROC_DIR is added to it, an empty folder of
    this run: `metrics_folder` (emptied first), or a temporary one. `grace` is how many seconds
    children have to end after SIGTERM. A `server` is started again like a child, and not stopped.
    """

    children: Sequence[Child]
    environment: Mapping[str, str]
    grace: float = 10.0
    metrics_folder: Path | None = None
    server: Server | None = None
    _running: list[_Running] = field(default_factory=list)
    _stopping: int = 0
    _stop_told: Stop = field(default_factory=Stop)

    def run(self) -> int:
        """Start the children and watch them. Call it from the main thread.

        SIGTERM, SIGINT or SIGHUP ends it with 0; a second one does not wait for the children. It
        ends with a child's own exit code when that child fails right at its first start: then
        something is wrong that starting again does not mend.
        """
        with _metrics(self.metrics_folder) as metrics, _signals(self._on_signal) as woken:
            shared = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)} if metrics is not None else {}
            environment = {**self.environment, **shared}
            self._running = [_Running(child) for child in self.children]
            if self.server is not None:
                running = _Running(self.server, self.server.process, started=time.monotonic(), starts=1)
                self._running.insert(0, running)
            try:
                return self._watch(environment, metrics, woken)
            finally:
                self._stop(woken)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_told.told(number)
        self._stopping += 1

    def _watch(self, environment: Mapping[str, str], metrics: Path | None, woken: socket.socket) -> int:
        while not self._stopping:
            for each in self._running:
                if each.process is None and each.due <= time.monotonic():
                    self._start(each, environment)
                elif each.process is not None and (code := each.process.poll()) is not None:
                    if metrics is not None:
                        shared_metrics.bury(each.process.pid, metrics)
                    if self._failed_at_once(each, code):
                        return code
                    self._plan_restart(each, exit_code=code)
            _wait(woken, min((each.due for each in self._running if each.process is None), default=None))
        return 0

    def _start(self, each: _Running, environment: Mapping[str, str]) -> None:
        each.started = time.monotonic()
        each.starts += 1
        try:
            each.process = each.child.start(environment)
        except (OSError, ConnectorError) as error:  # no process may be had now, or no memory for one
            self._plan_restart(each, why=type(error).__name__)
            return
        _logger.info("started", extra={"child": each.child.name, "pid": each.process.pid})

    def _failed_at_once(self, each: _Running, code: int) -> bool:
        if code <= 0 or each.starts > 1 or time.monotonic() - each.started > _WELL:
            return False
        _logger.error("failed at its first start", extra={"child": each.child.name, "exit_code": code})
        return True

    def _plan_restart(self, each: _Running, **why: int | str) -> None:
        was_well = time.monotonic() - each.started > _WELL
        each.deaths_in_a_row = 1 if was_well else each.deaths_in_a_row + 1
        delay = _BACKOFF[min(each.deaths_in_a_row, len(_BACKOFF)) - 1]
        each.process, each.due = None, time.monotonic() + delay
        _logger.warning("died", extra={"child": each.child.name, **why, "starts_again_in": delay})

    def _stop(self, woken: socket.socket) -> None:
        """SIGTERM to all, wait for `grace` seconds or the second signal, SIGKILL to who is left."""
        children = [each for each in self._running if isinstance(each.child, Child)]
        left = [each for each in children if each.process is not None]
        self._stop_told.begins(processes=len(left))
        for each in left:
            _send(each, signal.SIGTERM)
        deadline = time.monotonic() + self.grace
        while left and time.monotonic() < deadline and self._stopping < _IMPATIENT:
            left = [each for each in left if each.process is not None and each.process.poll() is None]
            if left:
                _wait(woken, deadline)
        for each in left:
            _logger.warning("killed: it did not end in time", extra={"child": each.child.name})
            _send(each, signal.SIGKILL)
        killed = len(left)
        for each in children:
            if each.process is not None:
                each.process.wait()
        self._stop_told.ended(killed=killed)


def _send(each: _Running, number: signal.Signals) -> None:
    """To the child's whole session, so that processes of its own go with it on SIGKILL."""
    if each.process is None or each.process.poll() is not None:
        return
    if number == signal.SIGKILL:
        os.killpg(each.process.pid, number)
    else:
        each.process.send_signal(number)


def _wait(woken: socket.socket, until: float | None) -> None:
    """Wait for a signal (a dead child sends one too), or until that monotonic time."""
    seconds = None if until is None else max(0.0, until - time.monotonic())
    if select.select([woken], [], [], seconds)[0]:
        woken.recv(4096)


@contextmanager
def _signals(on_signal: "signal._HANDLER") -> Iterator[socket.socket]:
    """Call `on_signal` for what means stop; the socket is readable whenever a signal came."""
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    stops = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, on_signal) for number in stops}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
    wakeup_before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


@contextmanager
def _metrics(folder: Path | None) -> Iterator[Path | None]:
    """An empty folder for the values that processes share, removed at the end; None: there is no room."""
    try:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="connector-metrics-"))
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
    except OSError as error:
        _logger.warning("metrics are not shared: no folder for them", extra={"cause": error.strerror})
        yield None
        return
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
