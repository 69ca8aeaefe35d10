"""Findings about deliveries: destinations that take nothing, and messages that need a person."""

from collections.abc import Iterator

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.finding import Finding
from dhos_connector_api.deliveries import search
from dhos_connector_api.metrics import age

_SUBJECT = "deliveries"


def findings(_settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Return how each destination is doing."""
    now, found = clock.now(), search.depths(connection)
    for each in found:
        text = f"{each.destination}: {each.waiting} wait, the oldest for {age(each.oldest, now):.0f} s"
        advice = ""
        if each.failing_since:
            text += f"; it has taken nothing for {age(each.failing_since, now):.0f} s"
            advice = f"connector deliveries list --destination {each.destination} names the cause"
        yield Finding(_SUBJECT, text, advice)
        if each.dead:
            dead = f"{each.destination}: {each.dead} need a person"
            yield Finding(_SUBJECT, dead, "connector deliveries list --state dead")
    if not found:
        yield Finding(_SUBJECT, "nothing waits")
