"""The gauges of deliveries that are not delivered yet, for Prometheus."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.deliveries import search
from dhos_connector_api.metrics import age


def gauges(_settings: Settings, connection: Connection, now: datetime) -> Iterator[Metric]:
    """Return what is not delivered, by destination."""
    labels = ["destination"]
    waiting = GaugeMetricFamily("connector_deliveries_waiting", "Deliveries not settled yet", labels=labels)
    oldest = GaugeMetricFamily("connector_deliveries_oldest_seconds", "Age of the oldest", labels=labels)
    dead = GaugeMetricFamily("connector_deliveries_dead", "Deliveries that need a person", labels=labels)
    failing = GaugeMetricFamily(
        "connector_destination_failing_seconds", "Since when a destination takes nothing", labels=labels
    )
    for each in search.depths(connection):
        waiting.add_metric([each.destination], each.waiting)
        oldest.add_metric([each.destination], age(each.oldest, now))
        dead.add_metric([each.destination], each.dead)
        failing.add_metric([each.destination], age(each.failing_since, now))
    yield from (waiting, oldest, dead, failing)
