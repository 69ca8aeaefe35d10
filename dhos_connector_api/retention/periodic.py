"""Periodic jobs of retention: one for each kind of thing that is kept for so long and no longer."""

from datetime import timedelta

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import Job
from dhos_connector_api.db.settings import RetentionSettings
from dhos_connector_api.messages.expected import expected
from dhos_connector_api.retention.passes import (
    Pass,
    through_bodies,
    through_deliveries,
    through_events,
    through_keys,
    through_messages,
)

#: How often a pass begins.
EVERY = timedelta(hours=1)
#: How long an API key that is no good any more is still listed.
ENDED_KEYS_KEPT = 400 * 86400


def jobs(settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room: of what has no retention set, none. What depends on others goes first."""
    kept, waited_for = settings.of(RetentionSettings), expected(settings)
    passes = (
        ("delivery", kept.deliveries, through_deliveries),
        ("integration_event", kept.events, through_events),
        ("message_body", kept.bodies, through_bodies),
        ("message", kept.messages, through_messages),
        ("api_key", ENDED_KEYS_KEPT, through_keys),
    )
    return tuple(
        Job(f"remove old rows: {table}", EVERY, Pass(table, timedelta(seconds=seconds), walk, waited_for))
        for table, seconds, walk in passes
        if seconds is not None
    )
