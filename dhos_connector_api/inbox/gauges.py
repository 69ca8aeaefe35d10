"""The gauges of what consumers could not apply, for Prometheus."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.inbox import parking
from dhos_connector_api.metrics import age


def gauges(_settings: Settings, connection: Connection, now: datetime) -> Iterator[Metric]:
    """Return what is parked and what is tried again, by consumer."""
    parked = _by_consumer("connector_parked", "Envelopes that a consumer could not apply, parked")
    oldest = _by_consumer("connector_parked_oldest_seconds", "Time since the oldest of them arrived")
    trying = _by_consumer("connector_parked_trying", "Envelopes that a consumer tries again")
    for each in parking.counts(connection):
        parked.add_metric([each["consumer"]], each["parked"])
        oldest.add_metric([each["consumer"]], age(each["oldest"], now))
        trying.add_metric([each["consumer"]], each["trying"])
    yield from (parked, oldest, trying)


def _by_consumer(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["consumer"])
