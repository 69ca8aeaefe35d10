"""The delivery process: for each destination a thread that claims, and as many that attempt as it may have.

Any number of these processes may run; they share each destination's room through its row.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from dhos_connector_api.db.within_bytes import Bound
from dhos_connector_api.deliveries.deliver import Deliverer
from dhos_connector_api.deliveries.store import Claim
from dhos_connector_api.stopping import Stop
from dhos_connector_api.workers import loop

#: Seconds between two looks for what is due, unless an attempt has just ended.
POLL = 0.1
#: Attempts of one process to one destination at once; the site sets how many of all processes.
MOST_THREADS = 64
#: Bytes that they have in hand at once, or one delivery: each takes some three of memory meanwhile.
MOST_BYTES = 16_000_000
#: Database connections of a process: one that claims for each destination, others that settle.
CONNECTIONS = 8


class DeliveryWorker:
    """The step for one destination."""

    def __init__(self, deliverer: Deliverer) -> None:
        self._deliverer = deliverer
        self._free, self._bytes = MOST_THREADS, 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(MOST_THREADS, f"deliver-{deliverer.destination.name}")

    @property
    def destination(self) -> str:
        """Return the name of its destination."""
        return self._deliverer.destination.name

    @property
    def in_hand(self) -> int:
        """Return the deliveries that are attempted just now."""
        with self._lock:
            return MOST_THREADS - self._free

    def step(self) -> bool:
        """Begin what is due, as far as there is room; return whether any was. Raises StorageUnavailable."""
        self._ended.clear()
        with self._lock:
            free, room = self._free, MOST_BYTES - self._bytes
        if not free or room <= 0:
            return False
        claims = self._deliverer.claim(free, Bound(room, least=int(free == MOST_THREADS)))
        began = bool(claims)
        while claims:
            claimed = claims.pop(0)  # who attempts it holds it alone
            with self._lock:
                self._free -= 1
                self._bytes += claimed.size
            self._pool.submit(self._attempt, claimed)
            del claimed
        return began

    def idle(self, seconds: float) -> None:
        """Wait, but not when an attempt has ended: there is room for another."""
        self._ended.wait(seconds)

    def close(self) -> None:
        """Wait until what is under way has ended."""
        self._pool.shutdown()

    def _attempt(self, claimed: Claim) -> None:
        loop.logged(lambda: self._deliverer.attempt(claimed), "an attempt to deliver was not settled")
        with self._lock:
            self._free += 1
            self._bytes -= claimed.size
        self._ended.set()


def run(deliverers: Sequence[Deliverer], stop: Stop) -> None:
    """Deliver to every destination until `stop` is set, and end what is under way then."""
    workers = [DeliveryWorker(each) for each in deliverers]
    threads = [
        threading.Thread(target=_run_one, args=(each, stop), name=f"claim-{each.destination}")
        for each in workers
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    stop.begins(deliveries=sum(each.in_hand for each in workers))
    for thread in threads:
        thread.join()
    stop.ended(deliveries=sum(each.in_hand for each in workers))


def _run_one(worker: DeliveryWorker, stop: Stop) -> None:
    try:
        loop.run(worker.step, idle=worker.idle, rest=lambda _: POLL, stop=stop)
    finally:
        worker.close()
