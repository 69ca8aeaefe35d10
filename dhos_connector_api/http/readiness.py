"""The answer of `/ready`, which anybody may ask: found out once a second, by one request at a time."""

from collections.abc import Callable
from threading import Lock

from dhos_connector_api import clock
from dhos_connector_api.errors import StorageUnavailable

#: Seconds an answer holds; seconds others wait for the request that finds it out.
FRESH, LONGEST_WAIT = 1.0, 2.0


class Readiness:
    """A check that many may ask for: `Readiness(check)()` raises what the check raised. Threads share it."""

    def __init__(self, check: Callable[[], None], monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._check = check
        self._monotonic = monotonic
        self._lock = Lock()
        self._fresh_until = 0.0
        self._failure: StorageUnavailable | None = None

    def __call__(self) -> None:
        """Raise StorageUnavailable when the service cannot do its work, or that is not known in time."""
        if not self._lock.acquire(timeout=LONGEST_WAIT):
            raise StorageUnavailable("the database did not answer")
        try:
            if self._monotonic() >= self._fresh_until:
                self._failure = self._found_out()
                self._fresh_until = self._monotonic() + FRESH
            if self._failure is not None:
                raise StorageUnavailable(self._failure.text, self._failure.fault) from self._failure.__cause__
        finally:
            self._lock.release()

    def _found_out(self) -> StorageUnavailable | None:
        try:
            self._check()
        except StorageUnavailable as failure:
            return failure
        return None
