"""Findings about the audit trail: whether what was written is sealed."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.finding import Finding
from dhos_connector_api.px.audit import search

_SUBJECT = "audit trail"
#: Sealing comes once a minute.
_LATE = timedelta(minutes=15)
_ADVICE = "see that housekeeping runs, and end what is old: SELECT pid, xact_start FROM pg_stat_activity"


def findings(_settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Return what is not sealed; the oldest running transaction of the whole server holds sealing up."""
    found = search.unsealed(connection)
    if found.oldest is None or clock.now() - found.oldest < _LATE:
        yield Finding(_SUBJECT, "what was written is sealed, or will be within minutes")
        return
    yield Finding(
        _SUBJECT, f"{found.rows} entries are not sealed, since {found.oldest:%Y-%m-%d %H:%M}", _ADVICE
    )
