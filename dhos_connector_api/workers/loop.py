"""The only loop: runs a worker's step until it is told to stop.

A step does one piece of work and returns whether there was any. The sleep, the signals and the
last resort for exceptions are here, once.
"""

import logging
import signal
import threading
from collections.abc import Callable

from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.log import where
from dhos_connector_api.stopping import Stop

log = logging.getLogger(__name__)

#: Seconds to wait after a step raised: doubled each time in a row.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: The longest wait that does not look at `stop` in between.
_SLICE = 0.1


def stop_on_signals() -> Stop:
    """Return an event that SIGTERM and SIGINT set. Call it in the main thread."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: stop.told(number))
    return stop


def run(
    step: Callable[[], bool],
    *,
    idle: Callable[[float], object],
    rest: Callable[[bool], float],
    stop: threading.Event,
) -> None:
    """Call `step` again and again until `stop` is set.

    After a step waits `rest(worked)` seconds by calling `idle(seconds)`, which may serve something
    meanwhile; `worked` is what the step returned. A step that raises is logged and tried again, after
    a growing pause.
    """
    pause = FIRST_PAUSE
    while not stop.is_set():
        try:
            worked = step()
            pause = FIRST_PAUSE
        except Exception as error:  # noqa: BLE001  the last resort of every worker
            extra = {"error": where(error), "next_attempt_seconds": pause}
            log.log(_level(error), "a step failed", extra=extra)
            _wait(pause, idle, stop)
            pause = min(pause * 2, LONGEST_PAUSE)
            continue
        _wait(rest(worked), idle, stop)


def _wait(seconds: float, idle: Callable[[float], object], stop: threading.Event) -> None:
    while seconds > 0 and not stop.is_set():
        idle(min(seconds, _SLICE))
        seconds -= _SLICE


def logged(action: Callable[[], None], text: str) -> bool:
    """Call `action`, which nobody waits for; when it raises, log `text` and return False."""
    try:
        action()
    except Exception as error:  # noqa: BLE001  the last resort of a thread
        log.log(_level(error), text, extra={"error": where(error)})
        return False
    return True


def _level(error: Exception) -> int:
    """An outage of the database is in the log already, with its cause, once a minute."""
    told = isinstance(error, StorageUnavailable) and error.fault is not None
    return logging.DEBUG if told else logging.ERROR
