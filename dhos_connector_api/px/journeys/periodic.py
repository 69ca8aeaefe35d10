"""Periodic jobs of journeys: what waits gets its journey or is given up; quiet visits end."""

from datetime import datetime, timedelta
from uuid import uuid5

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import EVERY_MINUTE, Job
from dhos_connector_api.px.journeys import applying, evidence_store, journey_store
from dhos_connector_api.px.journeys.evidence import CLOCK, JOURNEY_SILENT, Evidence
from dhos_connector_api.px.journeys.metrics import IGNORED
from dhos_connector_api.px.journeys.template import JourneyType
from dhos_connector_api.px.journeys.walk import SILENCE
from dhos_connector_api.px.organizations import called

#: So long evidence waits for what opens its journey.
WAITS = timedelta(hours=72)
#: Journeys, or pieces of evidence, of one transaction.
_AT_ONCE = 200


def jobs(_settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""
    return (
        Job("apply evidence that waited", EVERY_MINUTE, apply_ripe),
        Job("give up evidence that waits", EVERY_MINUTE, give_up),
        Job("close quiet visits", EVERY_MINUTE, close_quiet),
    )


def apply_ripe(connection: Connection, now: datetime) -> bool:
    """Apply evidence whose hospital or template there is by now; return whether to look for more at once.

    That is while something comes of it: what is looked at in vain is so again in a minute.
    """
    known = called.facilities(connection)
    if called.only_hospital(connection) is not None:
        known.append((None, ""))  # what names no facility is that hospital's
    names = evidence_store.ripe(connection, known, _AT_ONCE)
    if not names:
        return False
    applied = applying.settle(connection, names, now)
    evidence_store.note_done(connection, applied.messages, now)
    return bool(applied.messages)


def give_up(connection: Connection, now: datetime) -> bool:
    """Ignore evidence that waited too long; return whether more did."""
    given_up = evidence_store.expire(connection, now - WAITS, _AT_ONCE)
    for _, reason in given_up:
        IGNORED.labels(reason=reason).inc()
    evidence_store.note_done(connection, [message for message, _ in given_up], now)
    return len(given_up) == _AT_ONCE


def close_quiet(connection: Connection, now: datetime) -> bool:
    """Close visits of outpatients of which nothing was told for a day; return whether there are more."""
    quiet = journey_store.quiet(connection, JourneyType.OPD, now - SILENCE, _AT_ONCE)
    silent = [
        Evidence(
            event_uuid=uuid5(each.id, each.last_at.isoformat()),
            occurred_at=each.last_at + SILENCE,
            received_at=now,
            message_uuid=each.id,
            source=CLOCK,
            code=JOURNEY_SILENT,
            namespace=each.namespace,
            facility="",
            hospital_id=each.hospital_id,
            encounter_id=each.encounter_id,
        )
        for each in quiet
    ]
    applied = applying.add(connection, silent, now)
    evidence_store.note_done(connection, applied.messages, now)
    return len(quiet) == _AT_ONCE
