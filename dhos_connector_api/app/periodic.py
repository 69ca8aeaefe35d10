"""Periodic jobs that need several rooms: what journeys have applied is noted where messages are."""

from datetime import datetime

from sqlalchemy import Connection

from dhos_connector_api.app import journeys
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import EVERY_MINUTE, PRUNED_AT_ONCE, Job
from dhos_connector_api.px.journeys import evidence_store


def jobs(_settings: Settings) -> tuple[Job, ...]:
    """Return these jobs."""
    return (Job("note what journeys have applied", EVERY_MINUTE, note_processed),)


def note_processed(connection: Connection, now: datetime) -> bool:
    """Note messages of which no evidence waits any more as processed; return whether there are more."""
    done = evidence_store.take_done(connection, PRUNED_AT_ONCE)
    journeys.processed(connection, done, now)
    return len(done) == PRUNED_AT_ONCE
