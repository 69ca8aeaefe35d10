"""Findings about the inbox: whether a consumer has parked envelopes."""

from collections.abc import Iterator

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.finding import Finding
from dhos_connector_api.inbox import parking

_SUBJECT = "consumers"


def findings(_settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Return what is parked and what is tried again, by consumer."""
    found = parking.counts(connection)
    for each in found:
        text = f"{each['consumer']}: {each['parked']} parked, {each['trying']} are tried again"
        advice = "see why: connector consume parked list; mend, then consume parked retry ID"
        yield Finding(_SUBJECT, text, advice if each["parked"] else "")
    if not found:
        yield Finding(_SUBJECT, "no envelope is parked")
