"""Waiting for something that will show itself, for a bounded time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], *, seconds: float = 20) -> T:
    """The first true value `check` gives; fails when there is none within `seconds`.

    An exception of `check` counts as "not yet"; the last one is shown with the failure.
    """
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    try:
        while True:
            try:
                value = check()
                if value:
                    return value
                last = None
            except Exception as error:  # noqa: BLE001  a service that is not up yet refuses in many ways
                last = error
            if time.monotonic() > deadline:
                raise AssertionError(f"did not happen within {seconds} s") from last
            time.sleep(0.02)
    finally:
        # The error holds this frame, and this frame the error: the sockets in it would wait for the garbage
        # collector, which takes them apart in any order and warns of it in the middle of another test.
        last = None


def throughout(check: Callable[[], bool], *, seconds: float) -> None:
    """Fails as soon as `check` is not true during `seconds`: that nothing happened is seen, not assumed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert check()
        time.sleep(0.02)
