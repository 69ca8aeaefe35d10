"""Findings about the workers: whether a relay holds the lease."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.finding import Finding
from dhos_connector_api.workers.lease import RELAY_LOCK

_HELD = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = :high AND objid::bigint = :low"
)


def findings(_settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Return whether somebody publishes."""
    held = connection.execute(_HELD, {"high": RELAY_LOCK >> 32, "low": RELAY_LOCK & 0xFFFFFFFF}).scalar_one()
    if held:
        yield Finding("relay", "one holds the lease")
    else:
        yield Finding("relay", "none holds the lease: nothing is published", "start one: connector relay")
