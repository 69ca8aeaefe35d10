"""Which messages nobody has processed, as Prometheus shows it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.messages import store
from dhos_connector_api.messages.settings import MessageSettings


def gauges(settings: Settings, connection: Connection, now: datetime) -> Iterator[Metric]:
    """Return how many accepted messages are late."""
    after = timedelta(seconds=settings.of(MessageSettings).unprocessed_after)
    late = store.late(connection, before=now - after)
    yield GaugeMetricFamily(
        "connector_messages_unprocessed_late", "Accepted, not processed in UNPROCESSED_AFTER", late
    )
