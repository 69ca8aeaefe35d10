"""Packages of npm that tests use, installed once however many processes of tests want them."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoNpm(Exception):
    """There is no npm here to fetch a package with."""


@contextmanager
def installed(folder: Path, made: Path) -> Iterator[bool]:
    """Yield whether `made` is there; where not, the packages of the folder's lock are installed first.

    Other processes wait until the block ends, so what it makes of the packages is made once.
    `made` is what the block leaves behind. Raises NoNpm.
    """
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = made.exists()
        if not there:
            if shutil.which("npm") is None:
                raise NoNpm
            subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=folder, capture_output=True, check=True)
        yield there
