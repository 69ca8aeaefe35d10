"""The answer of `/metrics`: the counters of every process, and what only the database knows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

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


class Exposition:
    """The Prometheus text of this installation; `shared` is the folder its processes share."""

    def __init__(self, database: Database, gauges: Sequence[Gauges], shared: Path | None) -> None:
        self.registry = CollectorRegistry()
        if shared is not None:
            MultiProcessCollector(self.registry, path=str(shared))  # type: ignore[no-untyped-call]
        else:
            self.registry.register(REGISTRY)
        self.registry.register(DatabaseGauges(database, gauges))

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class DatabaseGauges(Collector):
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
