"""Whether the relay still works: when a step of it last came back, for `/ready` on its port."""

from collections.abc import Callable

from dhos_connector_api import clock
from dhos_connector_api.errors import StorageUnavailable

#: Seconds a step may take that does not wait for RabbitMQ: statements, and what they wait beyond.
LONGEST = 20.0


class Touch:
    """The last time the relay's session in PostgreSQL answered. Threads share it.

    touch = Touch()
    touch.felt()   # the relay, whenever its session has answered
    touch.check()  # whoever asks whether it is ready
    """

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._last = float("-inf")

    def felt(self) -> None:
        """Note that the session has answered now."""
        self._last = self._monotonic()

    def check(self) -> None:
        """Raise StorageUnavailable where it has not for LONGEST seconds."""
        if self._monotonic() - self._last > LONGEST:
            raise StorageUnavailable("the relay neither holds its lease nor waits for it")
