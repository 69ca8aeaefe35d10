"""What retention has removed, as Prometheus shows it: read from its record, so that it is exact."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.metrics import age
from dhos_connector_api.retention import store


def gauges(_settings: Settings, connection: Connection, now: datetime) -> Iterator[Metric]:
    """Return how many rows were ever removed from each table, and how long ago a pass came to its end."""
    labels = ["table"]
    removed = CounterMetricFamily("connector_retention_removed", "Rows removed by retention", labels=labels)
    finished = GaugeMetricFamily(
        "connector_retention_finished_seconds", "Since a pass of retention came to its end", labels=labels
    )
    for each in store.totals(connection):
        removed.add_metric([each["name"]], each["removed"])
        finished.add_metric([each["name"]], age(each["finished_at"], now))
    yield from (removed, finished)
