"""The supervisor starts, starts again and stops real processes, and leaves none behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.rigs.waiting import eventually

#: Each child writes a file named after its pid, then does what it is told.
_CHILD = """
import json, os, signal, sys, time
from pathlib import Path
name, folder, behaviour = sys.argv[1:]
if behaviour == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
shared = os.environ["PROMETHEUS_MULTIPROC_DIR"]
Path(shared, f"gauge_livesum_{os.getpid()}.db").touch()
scratch = Path(folder, f"{name}.{os.getpid()}.new")
scratch.write_text(json.dumps({"shared": shared, "key": os.environ.get("SOME_KEY")}))
scratch.rename(scratch.with_suffix(".started"))
if behaviour == "fails":
    while not list(Path(folder).glob("relay.*.started")):
        time.sleep(0.01)
    sys.exit(3)
time.sleep(600)
"""
_SUPERVISOR = """
import json, logging, sys
from dhos_connector_api.processes.supervisor import Child, Supervisor
logging.basicConfig(level="INFO")
children, environment, grace = json.loads(sys.argv[1])
sys.exit(Supervisor([Child(*each) for each in children], environment, grace=grace).run())
"""


class Run:
    """A supervisor in a process of its own; children are given as name=behaviour."""

    def __init__(self, folder: Path, children: dict[str, str], grace: float = 10) -> None:
        self._folder = folder
        (folder / "child.py").write_text(_CHILD)
        argvs = [
            (name, [sys.executable, str(folder / "child.py"), name, str(folder), behaviour])
            for name, behaviour in children.items()
        ]
        environment = {**os.environ, "SOME_KEY": "passed on"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SUPERVISOR, json.dumps([argvs, environment, grace])],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def pids(self, name: str) -> list[int]:
        """Every process this child has been, oldest first."""
        files = sorted(self._folder.glob(f"{name}.*.started"), key=lambda each: each.stat().st_mtime_ns)
        return [int(each.name.split(".")[1]) for each in files]

    def notes(self, name: str) -> dict[str, str]:
        """What the child's first process wrote down."""
        file = self._folder / f"{name}.{self.pids(name)[0]}.started"
        found: dict[str, str] = json.loads(file.read_text())
        return found

    def end(self) -> tuple[int, str]:
        """Wait for the supervisor's end; its exit code and its log."""
        _, log = self.process.communicate(timeout=30)
        return self.process.returncode, log


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def start(*, grace: float = 10, **children: str) -> Run:
        run = Run(tmp_path, children, grace)
        runs.append(run)
        eventually(lambda: all(run.pids(name) for name in children))
        return run

    yield start
    for run in runs:
        run.process.kill()
        run.process.communicate()


def _is_longer(run: Run, known: list[int]) -> bool:
    return len(run.pids("web")) > len(known)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_every_child(start: Start, number: signal.Signals) -> None:
    run = start(web="lives", relay="lives")
    run.process.send_signal(number)
    code, _ = run.end()
    assert code == 0
    assert not any(_alive(pid) for name in ("web", "relay") for pid in run.pids(name))


def test_a_dead_child_is_started_again_and_only_that_one(start: Start) -> None:
    run = start(web="lives", relay="lives")
    os.kill(run.pids("web")[0], signal.SIGKILL)
    eventually(lambda: len(run.pids("web")) == 2)
    assert len(run.pids("relay")) == 1
    run.process.terminate()
    _, log = run.end()
    assert "died" in log


def test_a_child_that_keeps_dying_waits_longer_each_time(start: Start, tmp_path: Path) -> None:
    run = start(web="lives")
    while len(run.pids("web")) < 4:
        known = run.pids("web")
        os.kill(known[-1], signal.SIGKILL)
        eventually(partial(_is_longer, run, known))
    started = [(tmp_path / f"web.{pid}.started").stat().st_mtime for pid in run.pids("web")]
    assert started[2] - started[1] >= 0.4
    assert started[3] - started[2] >= 0.9


def test_a_child_that_fails_at_its_first_start_ends_the_run_with_its_code(start: Start) -> None:
    run = start(web="fails", relay="lives")
    code, log = run.end()
    assert code == 3
    assert "failed at its first start" in log
    assert not _alive(run.pids("relay")[0])


def test_a_child_that_does_not_end_is_killed(start: Start) -> None:
    run = start(web="stubborn", relay="lives", grace=0.3)
    run.process.terminate()
    code, log = run.end()
    assert code == 0
    assert "did not end in time" in log
    assert not _alive(run.pids("web")[0])


def test_a_second_signal_does_not_wait(start: Start) -> None:
    run = start(web="stubborn", relay="lives", grace=600)
    run.process.terminate()
    eventually(lambda: not _alive(run.pids("relay")[0]))
    run.process.terminate()
    assert run.end()[0] == 0
    assert not _alive(run.pids("web")[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_supervisor_leaves_no_child(start: Start) -> None:
    run = start(web="stubborn", relay="lives")
    run.process.kill()
    run.end()
    eventually(lambda: not any(_alive(run.pids(name)[0]) for name in ("web", "relay")))


def test_children_share_an_empty_metrics_folder_that_goes_with_the_run(start: Start) -> None:
    run = start(web="lives", relay="lives")
    shared = Path(run.notes("web")["shared"])
    assert str(shared) == run.notes("relay")["shared"]
    assert run.notes("web")["key"] == "passed on"
    assert len(list(shared.iterdir())) == 2
    run.process.terminate()
    run.end()
    assert not shared.exists()


def test_a_dead_childs_live_gauges_are_forgotten(start: Start) -> None:
    run = start(web="lives", relay="lives")
    shared, dead = Path(run.notes("web")["shared"]), run.pids("web")[0]
    os.kill(dead, signal.SIGKILL)
    eventually(lambda: len(run.pids("web")) == 2)
    assert not (shared / f"gauge_livesum_{dead}.db").exists()
    assert (shared / f"gauge_livesum_{run.pids('relay')[0]}.db").exists()
