"""The relay's process: holds the lease, publishes on it, and lets go of RabbitMQ when it is lost.

Any number of relays may run; the one that holds the lease publishes, the others ask for it once a
second. Rows are selected and settled on the very session that holds the lock, so whoever has lost
the lock finds out before it publishes the next batch.
"""

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy import Engine

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import Envelope, Outcome
from dhos_connector_api.db.engine import FAILURES, named_failure
from dhos_connector_api.log import where
from dhos_connector_api.outbox.relay import Relay
from dhos_connector_api.outbox.room import Room
from dhos_connector_api.outbox.wake import Bell
from dhos_connector_api.stopping import Stop
from dhos_connector_api.workers import loop
from dhos_connector_api.workers.lease import Lease
from dhos_connector_api.workers.metrics import RELAY_ACTIVE
from dhos_connector_api.workers.touch import Touch

log = logging.getLogger(__name__)

#: Seconds between two looks when nobody wakes us; and between two tries of a standby for the lease.
POLL, STANDBY_POLL = 0.1, 1.0
#: After a step that published, the next batch gathers for at least so many seconds, and for so many
#: times as long as that step took, up to POLL: what a batch costs, here, in PostgreSQL and in RabbitMQ,
#: it costs once, however many rows it has. On a busy machine steps take longer, and batches grow.
LEAST_GATHERING, GATHERING = 0.02, 2.0
#: Seconds a batch under way may still take for its confirms once the process is told to stop.
GRACE = 3.0


class Outlet(Protocol):
    """Where envelopes go: `broker.publisher.Publisher` or `broker.in_process.InProcess`."""

    def ready(self) -> bool: ...
    def publish(self, batch: Sequence[Envelope]) -> Sequence[Outcome]: ...
    def idle(self, seconds: float, bell: socket.socket | None = None) -> None: ...
    def drop(self) -> None: ...
    def close(self) -> None: ...


#: Makes an outlet. Its argument is to be asked while a batch waits for its answers: False, give up.
MakeOutlet = Callable[[Callable[[], bool]], Outlet]


class RelayWorker:
    """The step of the relay's process."""

    def __init__(
        self,
        engine: Engine,
        make_outlet: MakeOutlet,
        stop: threading.Event,
        bell: Bell | None = None,
        touch: Touch | None = None,
        room: Room | None = None,
    ) -> None:
        self._bell = bell
        self._touch = touch or Touch()
        self._listens = self._woken = False
        self._took = 0.0
        self._lease = Lease(engine)
        self._url = engine.url
        self._outlet = make_outlet(self._keep_waiting)
        self._stop = stop
        self._stopping_since: float | None = None
        self._relay = Relay(self._outlet.publish, now=clock.now, monotonic=clock.monotonic, room=room)
        self._is_active = False
        self._in_hand = 0

    @property
    def active(self) -> bool:
        """True while this process holds the lease, as far as it knows."""
        return self._is_active

    @property
    def in_hand(self) -> int:
        """Return the envelopes of the batch that was under way when the process was told to stop."""
        return self._in_hand

    def step(self) -> bool:
        """Publish one batch if the lease is ours and the broker ready; return False: nothing to do now."""
        self._listens = False
        try:
            worked = self._step()
        except FAILURES as error:
            was_active = self._is_active
            self._let_go()
            is_told = named_failure(error, self._url) is not None  # by the log, once a minute
            level = logging.WARNING if was_active or not is_told else logging.DEBUG
            log.log(level, "the relay lost its database session", extra={"error": where(error)})
            return False
        self._touch.felt()
        return worked

    def idle(self, seconds: float) -> None:
        """Wait, while RabbitMQ's heartbeats are served; not longer than until a commit wakes us.

        A commit is listened for after a step that found nothing, but not after one that failed, nor
        where it had been woken for nothing: what waits then is held back, and each new row would wake us.
        """
        if self._bell is None or not self._listens:
            self._outlet.idle(seconds)
            return
        self._outlet.idle(seconds, self._bell.bind())
        self._woken = self._bell.drain()

    def rest(self, worked: bool) -> float:
        """Return the seconds to wait after a step, which published something or did not."""
        if not self._is_active:
            return STANDBY_POLL
        if worked and self._relay.behind:
            return 0.0
        if worked and self._bell is not None:
            return min(POLL, max(LEAST_GATHERING, GATHERING * self._took))
        return POLL

    def close(self) -> None:
        """Leave in good order: RabbitMQ first, then the lease."""
        self._outlet.close()
        self._let_go()

    def _step(self) -> bool:
        if not self._is_active and not self._take_over():
            return False
        if not self._outlet.ready():
            self._lease.check()
            return False
        if self._bell is not None:
            self._bell.drain()  # or what this step publishes would wake us for nothing after it
        began = clock.monotonic()
        worked = self._relay.step()
        self._took = clock.monotonic() - began
        self._listens = not worked and not self._woken
        self._woken = False
        return worked

    def _take_over(self) -> bool:
        """Take the lease, and settle what the session before could not: until then nothing is published."""
        connection = self._lease.take()
        if connection is None:
            return False
        self._relay.begin(connection)
        self._is_active = True
        RELAY_ACTIVE.set(1)
        log.info("the relay is active")
        return True

    def _let_go(self) -> None:
        """RabbitMQ before anything else: another relay may hold the lease by now."""
        self._outlet.drop()
        if self._bell is not None:
            self._bell.close()
        self._is_active = False
        RELAY_ACTIVE.set(0)
        self._lease.drop()

    def _keep_waiting(self) -> bool:
        """Asked while a batch waits for its confirms, for as long as RabbitMQ is blocked, too."""
        if self._stop.is_set():
            now = clock.monotonic()
            if self._stopping_since is None:
                self._stopping_since, self._in_hand = now, self._relay.under_way
            if now - self._stopping_since > GRACE:
                return False
        if not self._lease.alive():
            return False
        self._touch.felt()
        return True


def run(
    engine: Engine,
    make_outlet: MakeOutlet,
    stop: Stop,
    bell: Bell | None = None,
    touch: Touch | None = None,
    room: Room | None = None,
) -> None:
    """Run a relay until `stop` is set. `engine` is one of `lease.session_engine`; `bell` wakes it.

    `touch` hears of every step that came back; `room` knows which queues are full, where it is known.
    """
    worker = RelayWorker(engine, make_outlet, stop, bell, touch, room)
    try:
        loop.run(worker.step, idle=worker.idle, rest=worker.rest, stop=stop)
        stop.begins(envelopes=worker.in_hand)
    finally:
        worker.close()
        engine.dispose()
    stop.ended()
