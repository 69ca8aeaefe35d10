"""Runs the processes of a service: starts them, starts them again when they die, stops them all.

A child dies with its parent (PDEATHSIG on Linux), so that even kill -9 leaves no process. Elsewhere
a child that outlives a killed parent has to be ended by hand.
"""

import logging
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from dhos_connector_api import config
from dhos_connector_api.child_process import dies_with_parent

_log = logging.getLogger(__name__)

#: Seconds between two looks at the children, and from SIGTERM to SIGKILL.
_LOOK = 0.2
_PATIENCE = 25.0
#: Seconds until a child that died is started again: doubled each time until it has lived a minute.
_FIRST_PAUSE, _LONGEST_PAUSE, _HEALTHY_AFTER = 0.5, 30.0, 60.0


@dataclass(slots=True)
class Child:
    """One process to keep running: `python -m dhos_connector_api ARGUMENTS`."""

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = field(default=_FIRST_PAUSE)
    due: float = 0.0


@contextmanager
def metrics_folder() -> Iterator[Path]:
    """A folder in which the processes of one run share their metrics."""
    folder = Path(tempfile.mkdtemp(prefix="connector-metrics-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Supervisor:
    """Keeps `children` running until `stopping` says otherwise. `extra` goes into their environment."""

    def __init__(self, children: Iterable[Child], *, extra: dict[str, str], metrics: Path) -> None:
        self._children = list(children)
        self._environment = config.child_environment(extra | {"PROMETHEUS_MULTIPROC_DIR": str(metrics)})
        self._metrics = metrics
        self._stopping = False

    def run(self) -> None:
        """Start the children and look after them until SIGTERM or SIGINT; then stop them all."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while not self._stopping:
                for child in self._children:
                    self._look_after(child)
                time.sleep(_LOOK)
        finally:
            self._stop_all()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.due:
                self._start(child, now)
            return
        status = child.process.poll()
        if status is None:
            return
        self._forget(child.process.pid)
        child.pause = _FIRST_PAUSE if now - child.started > _HEALTHY_AFTER else child.pause
        _log.error("a process ended", extra={"child": child.name, "status": status, "again_in": child.pause})
        child.process, child.due = None, now + child.pause
        child.pause = min(child.pause * 2, _LONGEST_PAUSE)

    def _start(self, child: Child, now: float) -> None:
        child.process = subprocess.Popen(  # noqa: S603  our own command line
            [sys.executable, "-m", "dhos_connector_api", *child.arguments],
            env=self._environment,
            process_group=0,  # Ctrl-C reaches this process alone, which then stops the others in order
            preexec_fn=dies_with_parent(signal.SIGKILL),  # noqa: PLW1509  no threads before the first start
        )
        child.started = now
        _log.info("started", extra={"child": child.name, "pid": child.process.pid})

    def _forget(self, pid: int) -> None:
        """Take a dead process's gauges out of the shared metrics."""
        mark_process_dead(pid, path=str(self._metrics))  # type: ignore[no-untyped-call]

    def _stop_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
