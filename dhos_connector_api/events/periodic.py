"""Periodic job of the events: Idempotency-Keys are forgotten after their time."""

from datetime import datetime

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import EVERY_MINUTE, PRUNED_AT_ONCE, Job
from dhos_connector_api.events import idempotency


def jobs(_settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""
    return (Job("forget Idempotency-Keys", EVERY_MINUTE, prune),)


def prune(connection: Connection, now: datetime) -> bool:
    """Delete keys whose time has passed; return True if more are left."""
    return idempotency.prune(connection, at=now, limit=PRUNED_AT_ONCE) == PRUNED_AT_ONCE
