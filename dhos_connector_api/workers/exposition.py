"""The answer of `/metrics`: the counters of every process, and what only the database knows.

Anybody may ask for it, as often as he likes: it is made at most once a second, and the database is asked at
most every ten, by one process of this machine for all.
"""

import fcntl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import StorageUnavailable

#: Reads gauges from the database; it is given the time now.
Gauges = Callable[[Connection, datetime], Iterable[Metric]]

#: Seconds the whole answer holds; seconds what the database knows does, and how old it may become where the
#: database does not answer; seconds a request waits for another that makes the answer.
FRESH, KNOWN, OLDEST, LONGEST_WAIT = 1.0, 10.0, 60.0, 5.0
_GAUGES = "database-gauges.txt"


class Exposition:
    """The Prometheus text of this installation; `shared` is the folder its processes share.

    Without `gauges` it says nothing of what only the database knows, and asks it nothing.
    """

    def __init__(self, database: Database, gauges: Sequence[Gauges], shared: Path | None) -> None:
        self._registry = CollectorRegistry()
        if shared is not None and shared.is_dir():
            MultiProcessCollector(self._registry, path=str(shared))  # type: ignore[no-untyped-call]
        else:
            self._registry.register(REGISTRY)
        self._known = KnownGauges(database, gauges, shared) if gauges else None
        self._lock = Lock()
        self._text = b""
        self._fresh_until = 0.0

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format, as they were within the last second, about."""
        if clock.monotonic() < self._fresh_until or not self._lock.acquire(timeout=LONGEST_WAIT):
            return self._text
        try:
            if clock.monotonic() >= self._fresh_until:
                known = self._known.text() if self._known is not None else b""
                self._text = generate_latest(self._registry) + known
                self._fresh_until = clock.monotonic() + FRESH
        finally:
            self._lock.release()
        return self._text

    def values(self, name: str) -> list[float]:
        """Return the values of that gauge, of which processes have counted some."""
        return [
            sample.value
            for metric in self._registry.collect()
            for sample in metric.samples
            if sample.name == name
        ]


class KnownGauges:
    """The text of the gauges that only the database knows, shared by all processes of a folder.

    It belongs to one thread at a time. Who finds what is known too old asks the database, unless another
    process does so just now.
    """

    def __init__(self, database: Database, gauges: Sequence[Gauges], shared: Path | None) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_DatabaseGauges(database, gauges))
        self._file = shared / _GAUGES if shared is not None else None
        self._text = b""
        self._at = float("-inf")  # of the system's clock: files have no other
        self._ask_not_before = 0.0

    def text(self) -> bytes:
        """Return the gauges; nothing where the database has not answered for a minute."""
        if self._is_older_than(KNOWN):
            self._read_what_others_know()
        if self._is_older_than(KNOWN) and clock.monotonic() >= self._ask_not_before:
            self._ask()
            self._ask_not_before = clock.monotonic() + KNOWN  # one that does not answer is left alone as well
        return b"" if self._is_older_than(OLDEST) else self._text

    def _is_older_than(self, seconds: float) -> bool:
        return abs(time.time() - self._at) > seconds

    def _read_what_others_know(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                at = self._file.stat().st_mtime
                if at > self._at:
                    self._text, self._at = self._file.read_bytes(), at

    def _ask(self) -> None:
        """Ask the database, as the only one who does."""
        if self._file is None:
            self._note(generate_latest(self._registry))
            return
        try:
            with self._file.with_suffix(".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._note(generate_latest(self._registry))
                scratch = self._file.with_suffix(".new")
                scratch.write_bytes(self._text)
                scratch.rename(self._file)
        except BlockingIOError:  # another asks; what it learns is read next time
            return
        except OSError:  # no room: everybody asks for himself
            if self._is_older_than(KNOWN):
                self._note(generate_latest(self._registry))

    def _note(self, text: bytes) -> None:
        if text:
            self._text, self._at = text, time.time()


class _DatabaseGauges(Collector):
    """Gauges read from the database when they are asked for; none of them while it is away."""

    def __init__(self, database: Database, gauges: Sequence[Gauges]) -> None:
        self._database = database
        self._gauges = gauges

    def describe(self) -> Iterator[Metric]:
        """Return nothing: the registry need not ask the database for names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Return the gauges as they are now."""
        now = clock.now()
        try:
            with self._database.statements() as connection:
                found = [metric for gauges in self._gauges for metric in gauges(connection, now)]
        except StorageUnavailable:
            return
        yield from found
