"""Which messages nobody has processed, as Prometheus shows it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.messages import store
from dhos_connector_api.messages.expected import expected
from dhos_connector_api.messages.settings import MessageSettings


def gauges(settings: Settings, connection: Connection, now: datetime) -> Iterator[Metric]:
    """Return how many accepted messages are late."""
    number = late(settings, connection, now)
    yield GaugeMetricFamily(
        "connector_messages_unprocessed_late", "Accepted, not processed in UNPROCESSED_AFTER", number
    )


def late(settings: Settings, connection: Connection, now: datetime) -> int:
    """Return how many accepted messages are late, of those that somebody is expected to process."""
    before = now - timedelta(seconds=settings.of(MessageSettings).unprocessed_after)
    return store.late(connection, before=before, only=expected(settings))
