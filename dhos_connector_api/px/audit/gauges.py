"""The gauges of the audit trail, for Prometheus: what is not sealed, and since when nothing was."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.metrics import age
from dhos_connector_api.px.audit import search


def gauges(_settings: Settings, connection: Connection, now: datetime) -> Iterator[Metric]:
    """Return how many entries are not sealed (up to MOST_COUNTED), since when, and the newest seal's age."""
    found = search.unsealed(connection)
    yield GaugeMetricFamily(
        "connector_audit_unsealed",
        "Entries of the audit trail that are not sealed, counted up to 10,000",
        value=found.rows,
    )
    yield GaugeMetricFamily(
        "connector_audit_unsealed_oldest_seconds", "Age of the oldest of them", value=age(found.oldest, now)
    )
    if (at := search.last_sealed(connection)) is not None:
        yield GaugeMetricFamily(
            "connector_audit_sealed_seconds",
            "Time since the audit trail was last sealed",
            value=age(at, now),
        )
