"""Periodic jobs of the inbox: what was applied is forgotten when it cannot be published again.

What is parked goes after its time: it is patient data. Its message is kept as long as any other, and a replay
publishes it again.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import EVERY_MINUTE, PRUNED_AT_ONCE, Job
from dhos_connector_api.db.settings import RetentionSettings
from dhos_connector_api.inbox import parking, store


def jobs(settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""
    kept = timedelta(seconds=settings.of(RetentionSettings).applied)

    def prune(connection: Connection, now: datetime) -> bool:
        return store.prune(connection, before=now - kept, limit=PRUNED_AT_ONCE) == PRUNED_AT_ONCE

    kept_parked = timedelta(seconds=settings.of(RetentionSettings).of_parked)

    def prune_parked(connection: Connection, now: datetime) -> bool:
        pruned = parking.prune(connection, before=now - kept_parked, limit=PRUNED_AT_ONCE)
        return pruned == PRUNED_AT_ONCE

    return (
        Job("forget applied envelopes", EVERY_MINUTE, prune),
        Job("remove parked envelopes", EVERY_MINUTE, prune_parked),
    )
