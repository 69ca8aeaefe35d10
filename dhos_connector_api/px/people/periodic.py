"""Periodic job of people: refresh tokens that have expired are removed."""

from datetime import datetime

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import EVERY_MINUTE, PRUNED_AT_ONCE, Job
from dhos_connector_api.px.people import token_store


def jobs(_settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""

    def prune(connection: Connection, now: datetime) -> bool:
        removed = token_store.remove_expired(connection, before=now, limit=PRUNED_AT_ONCE)
        return removed == PRUNED_AT_ONCE

    return (Job("remove expired refresh tokens", EVERY_MINUTE, prune),)
