"""Periodic job of the inbox: what was applied is forgotten when it cannot be published again."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import EVERY_MINUTE, PRUNED_AT_ONCE, Job
from dhos_connector_api.db.settings import RetentionSettings
from dhos_connector_api.inbox import store


def jobs(settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""
    kept = timedelta(seconds=settings.of(RetentionSettings).applied)

    def prune(connection: Connection, now: datetime) -> bool:
        return store.prune(connection, before=now - kept, limit=PRUNED_AT_ONCE) == PRUNED_AT_ONCE

    return (Job("forget applied envelopes", EVERY_MINUTE, prune),)
