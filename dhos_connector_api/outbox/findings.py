"""Findings about the outbox: how long envelopes wait, and whether any is dead."""

from collections.abc import Iterator

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.finding import Finding
from dhos_connector_api.metrics import age
from dhos_connector_api.outbox import search

_SUBJECT = "outbox"
#: Seconds an envelope may wait.
_MOST = 60


def findings(_settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Return what waits and what is dead, by routing key."""
    now, found = clock.now(), search.depth_and_age(connection)
    for each in found:
        waits = round(age(each.oldest, now))
        text = f"{each.routing_key}: {each.waiting} wait, the oldest for {waits} s"
        advice = "see whether a relay runs and a queue is bound: connector outbox list"
        yield Finding(_SUBJECT, text, advice if waits > _MOST else "")
        if each.dead:
            dead = f"{each.routing_key}: {each.dead} can never be published"
            yield Finding(_SUBJECT, dead, "connector outbox list --dead; mend, then outbox retry ID")
    if not found:
        yield Finding(_SUBJECT, "nothing waits")
