"""Counts of requests in this process's memory, for Flask-Limiter.

limits' own memory storage starts a thread for nearly every request, to tidy up; that would be a third
of the CPU of one. Here what has ended is tidied up now and then by whoever counts.
"""

from collections.abc import Callable
from threading import Lock

from limits.storage import Storage

from dhos_connector_api import clock

#: Seconds between two tidyings.
TIDY_EVERY = 60.0


class WindowCounts(Storage):
    """`process://`: a count and the end of its window, by key. The window begins with the first request."""

    STORAGE_SCHEME = ["process"]  # noqa: RUF012  limits reads it so

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        now: Callable[[], float] = lambda: clock.now().timestamp(),
        **_options: float | str | bool,
    ) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._now = now
        self._lock = Lock()
        self._windows: dict[str, tuple[int, float]] = {}
        self._tidy_at = now() + TIDY_EVERY

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return the errors it may raise: it raises none."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count `amount` in the window of `key`, or in a new one of `expiry` seconds; return the count."""
        with self._lock:
            now = self._now()
            if now >= self._tidy_at:
                self._tidy(now)
            count, end = self._windows.get(key, (0, 0.0))
            if now >= end:
                count, end = 0, now + expiry
            self._windows[key] = (count + amount, end)
            return count + amount

    def _tidy(self, now: float) -> None:
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        self._tidy_at = now + TIDY_EVERY

    def get(self, key: str) -> int:
        """Return the count in the window of `key`."""
        count, end = self._windows.get(key, (0, 0.0))
        return count if self._now() < end else 0

    def get_expiry(self, key: str) -> float:
        """Return when the window of `key` ends, in seconds since 1970; now where there is none."""
        return max(self._now(), self._windows.get(key, (0, 0.0))[1])

    def check(self) -> bool:
        """Return true: memory is always there."""
        return True

    def reset(self) -> int | None:
        """Forget all, and return the number of windows."""
        with self._lock:
            count = len(self._windows)
            self._windows = {}
            return count

    def clear(self, key: str) -> None:
        """Forget the window of `key`."""
        with self._lock:
            self._windows.pop(key, None)
