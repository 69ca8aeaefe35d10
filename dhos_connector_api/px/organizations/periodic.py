"""Periodic job of organizations: the feed's patients get their hospital once its name there is known."""

from datetime import datetime

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.jobs import EVERY_MINUTE, Job
from dhos_connector_api.px.organizations import feed_store
from dhos_connector_api.px.organizations.contact_values import phone_e164

#: Patients of one transaction.
_AT_ONCE = 1_000


def jobs(_settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""
    return (Job("give patients their hospital", EVERY_MINUTE, place),)


def place(connection: Connection, now: datetime) -> bool:
    """Give patients their hospital, and read their numbers as of there; return whether more are left."""
    placed = feed_store.place(connection, now, _AT_ONCE)
    read = {id_: phone_e164(told, region) for id_, told, region in placed if told is not None}
    if numbers := {id_: number for id_, number in read.items() if number is not None}:
        feed_store.set_phones(connection, numbers)
    return len(placed) == _AT_ONCE
