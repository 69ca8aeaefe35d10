"""The gauges of what waits in the outbox, for Prometheus."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.metrics import age
from dhos_connector_api.outbox import search


def gauges(_settings: Settings, connection: Connection, now: datetime) -> Iterator[Metric]:
    """Return what is not published, by routing key."""
    waiting = _by_key("connector_outbox_waiting", "Envelopes that wait to be published")
    oldest = _by_key("connector_outbox_oldest_seconds", "Age of the oldest that waits")
    dead = _by_key("connector_outbox_dead", "Envelopes that can never be published")
    for each in search.depth_and_age(connection):
        waiting.add_metric([each.routing_key], each.waiting)
        oldest.add_metric([each.routing_key], age(each.oldest, now))
        dead.add_metric([each.routing_key], each.dead)
    yield from (waiting, oldest, dead)


def _by_key(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["routing_key"])
