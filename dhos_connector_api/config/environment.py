"""The environment of this process: the only place that reads it, and what child processes get of it."""

import os
from collections.abc import Mapping
from pathlib import Path


def variables() -> dict[str, str]:
    """Return the environment of this process."""
    return dict(os.environ)


def metrics_folder() -> Path | None:
    """Return where the processes of one run share their metrics: the supervisor says so."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


def of_child(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process we start: ours, and `extra`, which may be in no file then."""
    in_files = {f"{name}_FILE" for name in extra}
    return {name: value for name, value in os.environ.items() if name not in in_files} | dict(extra)
