"""Periodic jobs of the audit trail: its partitions are made, and what is committed is sealed."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db import months
from dhos_connector_api.db.jobs import EVERY_MINUTE, Job
from dhos_connector_api.px.audit.dropping import drop_next
from dhos_connector_api.px.audit.seal import seal_next
from dhos_connector_api.px.audit.settings import AuditSettings

_EVERY_HOUR = timedelta(hours=1)
#: A trigger on TRUNCATE is not handed on to partitions, those on rows are.
_THEN = ("CREATE TRIGGER audit_refuse_all BEFORE TRUNCATE ON {name} EXECUTE FUNCTION audit_refuse()",)


def jobs(settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""
    always = (
        Job("make partitions of the audit trail", _EVERY_HOUR, make_partitions),
        Job("seal the audit trail", EVERY_MINUTE, seal_next),
    )
    if (kept := settings.of(AuditSettings).kept) is None:
        return always
    drop = Job("drop old months of the audit trail", _EVERY_HOUR, lambda at, now: drop_next(at, now, kept))
    return (*always, drop)


def make_partitions(connection: Connection, now: datetime) -> bool:
    """Make the first partition that is missing and can be made; False: there is none."""
    return months.make_partitions(connection, "audit_event", now, _THEN)
