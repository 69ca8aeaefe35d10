"""What this machine is, and who spent how much of its CPU (Linux, read from /proc)."""

import os
import platform
from collections.abc import Callable, Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Where /proc/PID/stat, after the command's name, has the parent and the CPU ticks of the process
#: itself and of the children it has waited for (proc(5): fields 4 and 14 to 17).
_PARENT, _TIMES = 1, slice(11, 15)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def tree(pid: int) -> set[int]:
    """`pid` and every living process below it."""
    parents = {
        int(each.name): _stat(int(each.name)) for each in Path("/proc").iterdir() if each.name.isdigit()
    }
    found, edge = {pid}, {pid}
    while edge:
        edge = {child for child, stat in parents.items() if stat and int(stat[_PARENT]) in edge} - found
        found |= edge
    return found


def cpu_by_process(pids: Iterable[int]) -> dict[int, float]:
    """CPU seconds of each process so far, with the children it has waited for."""
    stats = {pid: _stat(pid) for pid in pids}
    return {pid: sum(map(int, stat[_TIMES])) / _TICKS for pid, stat in stats.items() if stat}


def busy_seconds() -> float:
    """CPU seconds the whole machine has worked since it was started."""
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / _TICKS


def resident_megabytes(pid: int) -> float:
    """Physical memory of one process (RSS) in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


def peak_megabytes(pid: int) -> float:
    """The most physical memory that one process ever had (VmHWM) in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


class Meter:
    """CPU seconds spent by named groups of processes between `start()` and `stop()`.

    A group is a function that tells which processes belong to it now; one it does not name at the
    end, because it has ended, does not count. `others` is what the machine spent on anything else.
    """

    def __init__(self, groups: dict[str, Callable[[], Iterable[int]]]) -> None:
        self._groups = groups

    def _read(self) -> tuple[dict[str, dict[int, float]], float]:
        return {name: cpu_by_process(pids()) for name, pids in self._groups.items()}, busy_seconds()

    def start(self) -> None:
        self._before, self._busy = self._read()

    def stop(self) -> dict[str, float]:
        """Seconds by group, and `others`."""
        after, busy = self._read()
        spent = {
            name: sum(seconds - self._before[name].get(pid, 0.0) for pid, seconds in processes.items())
            for name, processes in after.items()
        }
        return spent | {"others": max(0.0, busy - self._busy - sum(spent.values()))}


def facts() -> dict[str, str]:
    """Cores, processor, memory, Python: what a figure has to be read with."""
    processor = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")),
        platform.machine(),
    )  # fmt: skip
    memory = os.sysconf("SC_PHYS_PAGES") * _PAGE / 2**30
    return {
        "processor": f"{len(os.sched_getaffinity(0))} x {processor}, {memory:.0f} GiB",
        "Linux": platform.release(),
        "Python": platform.python_version(),
        "load before": " ".join(f"{each:.2f}" for each in os.getloadavg()),
    }
