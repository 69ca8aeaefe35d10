"""What the log says of a process that stops: which signal, what was in hand, how long that took."""

import logging
import signal
from threading import Event

from dhos_connector_api import clock

_log = logging.getLogger(__name__)


class Stop(Event):
    """An event that a signal sets.

    stop.told(signal.SIGTERM)
    stop.begins(requests=3)
    stop.ended()
    """

    def __init__(self) -> None:
        super().__init__()
        self._signal = "none"
        self._at: float | None = None
        self._has_begun = False

    def told(self, number: int) -> None:
        """Note the first signal and set the event. Writes nothing: it may come in the middle of that."""
        if self._at is None:
            self._signal, self._at = signal.Signals(number).name, clock.monotonic()
        self.set()

    def begins(self, **in_hand: int) -> None:
        """Log, once, that the process stops, and what it has in hand."""
        if not self._has_begun:
            self._has_begun = True
            _log.info("stopping", extra={"signal": self._signal, "in_hand": in_hand})

    def ended(self, **left: int) -> None:
        """Log that the process has ended what it could, how long after the signal, and what is `left`."""
        seconds = 0.0 if self._at is None else round(clock.monotonic() - self._at, 2)
        _log.info("stopped", extra={"signal": self._signal, "seconds": seconds, "left": left})
