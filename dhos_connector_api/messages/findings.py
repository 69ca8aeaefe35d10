"""Findings about messages: whether somebody processes what was accepted."""

from collections.abc import Iterator

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.finding import Finding
from dhos_connector_api.messages import gauges


def findings(settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Return how many messages are late."""
    late = gauges.late(settings, connection, clock.now())
    advice = "ask the consumers: connector messages list --unprocessed"
    yield Finding(
        "messages", f"{late} are accepted, and nobody has processed them in time", advice if late else ""
    )
