"""Waiting for what another process does, and no longer than it may take."""

import socket
import time
from collections.abc import Callable

_PAUSE = 0.1
_START_SECONDS = 20


def becomes(true: Callable[[], bool], *, within: float) -> bool:
    """Whether it becomes true in so many seconds; asks ten times a second."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def listens(port: int) -> bool:
    """Whether somebody listens on that port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(port: int) -> None:
    """Return once somebody listens there. Raises SystemExit when nobody does within 20 s."""
    if not becomes(lambda: listens(port), within=_START_SECONDS):
        raise SystemExit("a server of the measurements did not start")
