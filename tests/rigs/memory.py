"""The physical memory of real processes: the most they have had, above what they had when they were idle."""

from pathlib import Path


def _megabytes(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in tree(int(child)))]


class Growth:
    """The most memory a process or one of its descendants had, above what it has when this is made."""

    def __init__(self, pid: int) -> None:
        self._idle = {}
        for each in tree(pid):
            Path(f"/proc/{each}/clear_refs").write_text("5")  # the peak is now what it has
            self._idle[each] = _megabytes(each, "VmRSS")

    @property
    def megabytes(self) -> float:
        """The largest growth of any of them, in MB."""
        return max(_megabytes(each, "VmHWM") - before for each, before in self._idle.items())
