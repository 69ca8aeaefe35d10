"""Waiting for something that will happen: always bounded, and saying what did not come."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds within which anything happens here, on a slow machine too.
PATIENCE = 20.0
#: A stream that was held back by an unroutable envelope is tried again after 30 s at the latest.
BACK_OFF = 45.0
_BETWEEN = 0.05


def eventually(probe: Callable[[], T | None], what: str, within: float = PATIENCE) -> T:
    """What `probe` returns as soon as that is true; asks again for `within` seconds.

    Raises AssertionError naming `what` was waited for.
    """
    deadline = time.monotonic() + within
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"within {within:.0f} s there was no {what}")
        time.sleep(_BETWEEN)
    return found
