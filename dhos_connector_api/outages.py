"""What log and gauge say of a server that is away: its cause once, then once a minute, and its return."""

import logging
from collections.abc import Callable
from threading import Lock
from typing import Any

from dhos_connector_api import clock
from dhos_connector_api.causes import Fault
from dhos_connector_api.metrics import Gauge

_log = logging.getLogger(__name__)

#: Seconds in which the same is said once only.
QUIET = 60.0
#: Seconds in which a gauge that stands at 1 is not set anew: every message would pay for it.
_FRESH = 1.0


class Outage:
    """Whether one server can be used, as everybody in this process who uses it finds.

    Threads share it. What was said a short while ago is not said again where a server comes and goes.

        outage = Outage("PostgreSQL", DATABASE_WRITABLE)
        outage.failed(fault)
        outage.succeeded()
    """

    def __init__(self, server: str, gauge: Gauge, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._server = server
        self._gauge = gauge
        self._monotonic = monotonic
        self._lock = Lock()
        self._told: dict[Fault, float] = {}
        self._since: float | None = None
        self._failures = 0
        self._was_told = False
        self._fresh_until = float("-inf")

    def failed(self, fault: Fault) -> None:
        """Note that it could not be used, and why."""
        with self._lock:
            now = self._monotonic()
            self._gauge.set(0)
            self._fresh_until = float("-inf")
            self._since = now if self._since is None else self._since
            self._failures += 1
            last = self._told.get(fault)
            if last is not None and now - last < QUIET:
                return
            self._told[fault] = now
            self._was_told = True
            _log.warning(f"{self._server} cannot be used", extra=self._details(fault, now))

    def succeeded(self) -> None:
        """Note that it could."""
        now = self._monotonic()
        if now < self._fresh_until:
            return
        with self._lock:
            self._fresh_until = now + _FRESH
            self._gauge.set(1)
            if self._since is not None and self._was_told:
                seconds = round(now - self._since, 1)
                extra = {"seconds": seconds, "failures": self._failures}
                _log.info(f"{self._server} can be used again", extra=extra)
            self._since, self._failures, self._was_told = None, 0, False

    def _details(self, fault: Fault, now: float) -> dict[str, Any]:
        since = now if self._since is None else self._since
        return {
            "host": fault.host,
            "port": fault.port,
            "cause": str(fault.cause),
            "seconds": round(now - since, 1),
            "failures": self._failures,
        }
