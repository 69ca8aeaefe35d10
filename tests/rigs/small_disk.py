"""A file system of a test's own that is soon full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A new folder with a file system of that size (`300m`); skips the test where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Write a file until there is no room for another byte; return it."""
    ballast = disk / "ballast"
    for piece in (1_000_000, 4_096, 1):
        try:
            with ballast.open("ab", buffering=0) as file:
                while file.write(b"\0" * piece) == piece:
                    pass
        except OSError:
            continue
    return ballast
