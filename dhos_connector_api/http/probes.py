"""The answers of /running and /version; `front` sends them, without a thread, a database or Flask."""

from typing import Any

from dhos_connector_api import __version__


def running() -> dict[str, Any]:
    """Return what `/running` answers for as long as the process can answer at all."""
    return {"running": True}


def version(*, build_number: str, git_hash: str) -> dict[str, Any]:
    """Return what `/version` answers: build number, git hash and version."""
    return {"circle": build_number, "hash": git_hash, "version": __version__}
