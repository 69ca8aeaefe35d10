"""What `/metrics` shows: the counters of every process, and what only the database knows."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from dhos_connector_api import clock
from dhos_connector_api.config.settings import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries import search
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.messages import store as messages
from dhos_connector_api.outbox import search as outbox


class Exposition:
    """The Prometheus text of this installation; `shared` is the folder its processes share."""

    def __init__(self, settings: Settings, database: Database, shared: Path | None) -> None:
        self.registry = CollectorRegistry()
        if shared is not None:
            MultiProcessCollector(self.registry, path=str(shared))  # type: ignore[no-untyped-call]
        else:
            self.registry.register(REGISTRY)
        self.registry.register(DatabaseGauges(settings, database))

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class DatabaseGauges(Collector):
    """Gauges read from the database when they are asked for; none of them while it is away."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._late = timedelta(seconds=settings.unprocessed_after)
        self._database = database

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry need not ask the database for names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        now = clock.now()
        try:
            with self._database.statements() as connection:
                depths = outbox.depth_and_age(connection)
                late = messages.late(connection, before=now - self._late)
                deliveries = search.depths(connection)
        except StorageUnavailable:
            return
        waiting = _by_key("connector_outbox_waiting", "Envelopes that wait to be published")
        oldest = _by_key("connector_outbox_oldest_seconds", "Age of the oldest that waits")
        dead = _by_key("connector_outbox_dead", "Envelopes that can never be published")
        for each in depths:
            waiting.add_metric([each.routing_key], each.waiting)
            oldest.add_metric([each.routing_key], _age(each.oldest, now))
            dead.add_metric([each.routing_key], each.dead)
        yield from (waiting, oldest, dead)
        yield GaugeMetricFamily(
            "connector_messages_unprocessed_late", "Accepted, not processed in UNPROCESSED_AFTER", late
        )
        yield from _of_deliveries(deliveries, now)


def _of_deliveries(depths: list[search.Depth], now: datetime) -> tuple[Metric, ...]:
    """What is not delivered, by destination."""
    labels = ["destination"]
    waiting = GaugeMetricFamily("connector_deliveries_waiting", "Deliveries not settled yet", labels=labels)
    oldest = GaugeMetricFamily("connector_deliveries_oldest_seconds", "Age of the oldest", labels=labels)
    dead = GaugeMetricFamily("connector_deliveries_dead", "Deliveries that need a person", labels=labels)
    failing = GaugeMetricFamily(
        "connector_destination_failing_seconds", "Since when a destination takes nothing", labels=labels
    )
    for each in depths:
        waiting.add_metric([each.destination], each.waiting)
        oldest.add_metric([each.destination], _age(each.oldest, now))
        dead.add_metric([each.destination], each.dead)
        failing.add_metric([each.destination], _age(each.failing_since, now))
    return waiting, oldest, dead, failing


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _by_key(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["routing_key"])
