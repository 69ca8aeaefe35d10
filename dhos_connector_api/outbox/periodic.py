"""Periodic job of the outbox: published envelopes go after their time."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import EVERY_MINUTE, PRUNED_AT_ONCE, Job
from dhos_connector_api.db.settings import RetentionSettings
from dhos_connector_api.outbox import store


def jobs(settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""
    kept = timedelta(seconds=settings.of(RetentionSettings).published)

    def prune(connection: Connection, now: datetime) -> bool:
        pruned = store.prune(connection, published_before=now - kept, limit=PRUNED_AT_ONCE)
        return pruned == PRUNED_AT_ONCE

    return (Job("prune published envelopes", EVERY_MINUTE, prune),)
