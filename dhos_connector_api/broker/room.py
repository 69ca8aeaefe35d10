"""Whether a queue is full that a refused routing key reaches, found out on a thread of its own.

Asked only while a key is refused. Where nothing can be found out nothing is known to be full, and the
relay tries again as it does without us.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock, Thread

from dhos_connector_api import clock
from dhos_connector_api.broker import depths, topology
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.fullness import Fullness, fullness
from dhos_connector_api.broker.management import SERVER, Management, ManagementAway, Reached
from dhos_connector_api.broker.metrics import MANAGEMENT_ANSWERS
from dhos_connector_api.outages import Outage

_log = logging.getLogger(__name__)

#: Seconds between two questions; and after one, until a refusal that came since may be asked about.
EVERY, AT_MOST_EVERY = 5.0, 1.0
#: Seconds that a refused key waits for the first answer, and that an answer holds.
PATIENCE, FRESH = 8.0, 20.0
#: Seconds by which statistics may be late: RabbitMQ gathers them every 5 s, and its API from them again.
LATE = 10.0
#: Seconds after it was full that a queue counts as full while it is nearly so.
NEARLY_FULL = 60.0
#: Seconds in which a full queue is named once.
QUIET = 60.0
OUTAGE = Outage(SERVER, MANAGEMENT_ANSWERS)

#: Finds the queues that a routing key reaches and that refuse when full. Raises ManagementAway.
Look = Callable[[str], Sequence[Reached]]


def look(management: Management, addresses: Sequence[BrokerAddress]) -> Look:
    """Return what asks the management API, and counts over AMQP what is ready in those queues."""

    def reached(key: str) -> list[Reached]:
        found = management.reached(topology.EXCHANGE, key)
        names = [each.name for each in found if each.limits.length is not None]
        counted = depths.count_ready(addresses, names) if names else {}
        return [
            replace(each, ready=counted[each.name], is_counted=True) if each.name in counted else each
            for each in found
        ]

    return reached


@dataclass(slots=True)
class _Refusal:
    at: float
    #: Bytes of the body that was refused.
    body: int
    #: When a queue was last known to be full.
    full_at: float


@dataclass(frozen=True, slots=True)
class _Answer:
    asked_at: float
    queues: Sequence[Reached]


class Room:
    """Knows of refused routing keys whether they are still to wait.

        room.refused(key, len(body))
        while room.is_full(key): ...  # answers at once, from what is known

    Threads may share it. `start` runs what asks.
    """

    def __init__(
        self,
        look: Look,
        *,
        monotonic: Callable[[], float] = clock.monotonic,
        start: Callable[[Callable[[], None]], None] | None = None,
        outage: Outage = OUTAGE,
    ) -> None:
        self._look = look
        self._monotonic = monotonic
        self._start = start or _on_a_thread
        self._outage = outage
        self._lock = Lock()
        self._refusals: dict[str, _Refusal] = {}
        self._answers: dict[str, _Answer] = {}
        self._wanted: set[str] = set()
        self._is_asking = self._is_away = False
        self._asked_at, self._ask_at = float("-inf"), 0.0
        self._told: dict[str, float] = {}

    def refused(self, key: str, body: int) -> None:
        """Note that a queue of that key did not take a body of so many bytes."""
        with self._lock:
            now = self._monotonic()
            self._refusals[key] = _Refusal(now, body, now)
            if not self._is_away:
                self._ask_at = min(self._ask_at, max(now, self._asked_at + AT_MOST_EVERY))
            self._want(key, now)

    def is_full(self, key: str) -> bool:
        """Return whether a message with that key is still to wait, as far as is known; ask if it is time."""
        with self._lock:
            refusal = self._refusals.get(key)
            if refusal is None:
                return False
            now = self._monotonic()
            self._want(key, now)
            answer = self._answers.get(key)
            if answer is None or answer.asked_at < refusal.at:
                return not self._is_away and now < refusal.at + PATIENCE
            return now < answer.asked_at + FRESH and self._waits(key, refusal, answer)

    def _waits(self, key: str, refusal: _Refusal, answer: _Answer) -> bool:
        full, nearly, late = [], False, False
        for each in answer.queues:
            found = fullness(each.limits, ready=each.ready, ready_bytes=each.ready_bytes, body=refusal.body)
            if found is Fullness.FULL:
                full.append(each.name)
            nearly = nearly or found is Fullness.NEARLY
            late = late or not each.is_counted or each.limits.size is not None
        if full:
            refusal.full_at = max(refusal.full_at, answer.asked_at)
            self._tell(key, full)
            return True
        if nearly and answer.asked_at < refusal.full_at + NEARLY_FULL:
            return True
        return late and answer.asked_at < refusal.at + LATE

    def _want(self, key: str, now: float) -> None:
        """Find it out on the other thread, if it is time and nobody is at it. The lock is held."""
        self._wanted.add(key)
        if self._is_asking or now < self._ask_at:
            return
        wanted, self._wanted = self._wanted, set()
        self._is_asking, self._asked_at = True, now
        try:
            self._start(lambda: self._find_out(wanted, now))
        except RuntimeError:  # no more threads just now
            self._is_asking, self._ask_at = False, now + EVERY

    def _find_out(self, keys: Iterable[str], asked_at: float) -> None:
        found: dict[str, _Answer] = {}
        is_away = True
        try:
            for key in keys:
                found[key] = _Answer(asked_at, self._look(key))
            is_away = False
            self._outage.succeeded()
        except ManagementAway as error:
            self._outage.failed(error.fault)
        finally:  # whatever else it may be: nobody would ask again
            self._done(found, asked_at, is_away=is_away)

    def _done(self, found: dict[str, _Answer], asked_at: float, *, is_away: bool) -> None:
        with self._lock:
            self._answers.update(found)
            self._is_away, self._is_asking = is_away, False
            missed = any(each.at > asked_at for each in self._refusals.values())
            self._ask_at = self._monotonic() + (AT_MOST_EVERY if missed and not is_away else EVERY)

    def _tell(self, key: str, queues: Iterable[str]) -> None:
        now = self._monotonic()
        for each in queues:
            if now >= self._told.get(each, float("-inf")) + QUIET:
                self._told[each] = now
                extra = {"queue": each, "routing_key": key}
                _log.warning(
                    "this queue is full: envelopes of the routing key wait until it has room", extra=extra
                )


def _on_a_thread(ask: Callable[[], None]) -> None:
    Thread(target=ask, name="room", daemon=True).start()
