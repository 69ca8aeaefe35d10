"""Findings about journeys: what waits for something that people have to set up, and what never ends."""

from collections.abc import Iterator

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.finding import Finding
from dhos_connector_api.px.journeys import evidence_store, journey_store

_SUBJECT = "journeys"
_ADVICE = {
    "no_hospital": "name the facility of the sender: connector organizations identify",
    "no_template": "make a default template for the hospital: connector journeys seed",
    "several_hospitals": "have the source name the facility of its events",
}


def findings(_settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Return what evidence waits for, and how many journeys never end."""
    for each in evidence_store.counts(connection):
        text = f"{each['waiting']} events wait: {each['reason']}"
        yield Finding(_SUBJECT, text, _ADVICE.get(each["reason"], ""))
    for kind, count in journey_store.open_since(connection, clock.now() - journey_store.TOO_LONG):
        advice = "close them, or ask the sender for its discharges: docs/operations.md"
        yield Finding(_SUBJECT, f"{count} journeys ({kind}) are open for more than 60 days", advice)
