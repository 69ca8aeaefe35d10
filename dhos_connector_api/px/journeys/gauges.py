"""The gauges of journeys for Prometheus: what waits, and what never ends."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.metrics import age
from dhos_connector_api.px.journeys import evidence_store, journey_store


def gauges(_settings: Settings, connection: Connection, now: datetime) -> Iterator[Metric]:
    """Return the evidence that waits, by reason, and the journeys that have been open for too long."""
    waiting = GaugeMetricFamily(
        "connector_evidence_waiting", "Events that wait for a journey to belong to", labels=["reason"]
    )
    oldest = GaugeMetricFamily(
        "connector_evidence_waiting_oldest_seconds", "Time since the oldest of them came", labels=["reason"]
    )
    for each in evidence_store.counts(connection):
        waiting.add_metric([each["reason"]], each["waiting"])
        oldest.add_metric([each["reason"]], age(each["oldest"], now))
    yield from (waiting, oldest)
    stale = GaugeMetricFamily(
        "connector_journeys_open_too_long", "Journeys open for more than 60 days", labels=["type"]
    )
    for kind, count in journey_store.open_since(connection, now - journey_store.TOO_LONG):
        stale.add_metric([kind], count)
    yield stale
