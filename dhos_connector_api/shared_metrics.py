"""The files in which processes of one run share their metrics, made safe where a disk is full.

prometheus_client maps files that have no blocks yet: a value written on a full disk ends the process
(SIGBUS). Here a file has its blocks before it is mapped; a process that cannot have one goes on with values
of its own, which nobody else sees. And what a process that has died had counted is kept in one file for all
of them, so that restarts do not fill the folder.
"""

import logging
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import mark_process_dead

_log = logging.getLogger(__name__)

#: Bytes of a file at first; prometheus_client's own size is not for others to know.
FIRST_SIZE = 1 << 16
_DEAD = "dead"
#: Kinds of metrics whose values are still true when the process that counted is gone.
_KEPT = ("counter", "histogram", "summary")


class AllocatedFile(MmapedDict):
    """Values of one process: in a file that has its blocks, else in memory of its own (`_f` is None then)."""

    _f: Any
    _m: Any
    _positions: dict[str, int]

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        try:
            _allocate(Path(filename))
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
        except (OSError, RuntimeError, ValueError) as error:
            _log.warning("metrics are not shared: no file for them", extra={"cause": type(error).__name__})
            self._f = self._m = None
            self._move(FIRST_SIZE)

    @property
    def is_shared(self) -> bool:
        """Whether others see these values."""
        return self._f is not None

    def _init_value(self, key: str) -> None:
        more = len(key.encode()) + 64
        capacity = int(self._capacity)
        while self._used + more > capacity:
            capacity *= 2
        if capacity > self._capacity:
            self._grow(capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _grow(self, capacity: int) -> None:
        if self._f is None:
            self._move(capacity)
            return
        try:
            os.posix_fallocate(self._f.fileno(), 0, capacity)
            self._m = mmap.mmap(self._f.fileno(), capacity)
            self._capacity = capacity
        except OSError as error:
            _log.warning("metrics are shared no longer: no room", extra={"cause": type(error).__name__})
            self._f.close()
            self._f = None
            self._move(capacity)

    def _move(self, capacity: int) -> None:
        """Go on in memory of this process, with the values there were."""
        before = self._m
        self._m = mmap.mmap(-1, capacity)
        self._capacity = capacity
        if before is None:
            self._positions = {}
            self._used = 8
            self._m[:4] = self._used.to_bytes(4, "little")
        else:
            self._m[: self._used] = before[: self._used]


def _allocate(file: Path) -> None:
    """Make the file with its blocks, unless it is there; it appears whole, or not at all."""
    if file.exists():
        return
    scratch = file.with_suffix(".new")
    try:
        with scratch.open("wb") as opened:
            os.posix_fallocate(opened.fileno(), 0, FIRST_SIZE)
        scratch.rename(file)
    except OSError:
        with suppress(OSError):
            scratch.unlink()
        raise


def install() -> None:
    """Use these files wherever prometheus_client would use its own; before the first metric is made."""
    values.MmapedDict = AllocatedFile  # type: ignore[attr-defined]


def bury(pid: int, folder: Path) -> None:
    """Keep what a process that has died had counted, and let its files go."""
    with suppress(OSError):
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    for kind in _KEPT:
        file = folder / f"{kind}_{pid}.db"
        if not file.exists():
            continue
        # Under a name that nobody reads metrics from: who asks meanwhile misses them once, and where this
        # process is killed they are lost. Counted twice, they would look like a counter that began anew.
        gone = file.with_suffix(".gone")
        try:
            file.rename(gone)
            _add(gone, folder / f"{kind}_{_DEAD}.db")
            gone.unlink()
        except (OSError, RuntimeError, ValueError) as error:
            _log.warning("metrics of a dead process stay", extra={"cause": type(error).__name__})
            with suppress(OSError):
                gone.rename(file)


def _add(file: Path, sums: Path) -> None:
    counted = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
    kept = AllocatedFile(str(sums))
    if not kept.is_shared:
        raise OSError("no room for it")
    for key, value, _timestamp, _position in counted:
        before, _ = kept.read_value(key)  # type: ignore[no-untyped-call]
        kept.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
    kept.close()  # type: ignore[no-untyped-call]
