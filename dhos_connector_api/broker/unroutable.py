"""What the log says of routing keys that no queue is bound to: each once a minute, however many there are."""

import logging
from collections.abc import Callable

from dhos_connector_api import clock

_log = logging.getLogger(__name__)

#: Seconds in which a routing key is named once.
QUIET = 60.0


class Unroutable:
    """The routing keys whose envelopes came back; they are few, and made by ourselves."""

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._returned: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def note(self, routing_key: str) -> None:
        """Note that an envelope with that key came back."""
        now = self._monotonic()
        self._returned[routing_key] = self._returned.get(routing_key, 0) + 1
        if now - self._told.get(routing_key, float("-inf")) < QUIET:
            return
        self._told[routing_key] = now
        extra = {"routing_key": routing_key, "returned": self._returned.pop(routing_key)}
        _log.warning("no queue is bound to this routing key: its envelopes wait", extra=extra)
