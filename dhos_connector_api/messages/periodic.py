"""Periodic job of the message store: partitions of message_body for this month and the next ones."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from dhos_connector_api.config.load import Settings
from dhos_connector_api.db import months as by_month
from dhos_connector_api.db.jobs import Job

#: How often it is looked at whether one is missing.
EVERY = timedelta(hours=1)
_TABLE = "message_body"


def jobs(_settings: Settings) -> tuple[Job, ...]:
    """Return the jobs of this room."""
    return (Job("make partitions", EVERY, make_partitions),)


def make_partitions(connection: Connection, now: datetime) -> bool:
    """Make the first partition that is missing and can be made; False: there is none."""
    return by_month.make_partitions(connection, _TABLE, now)


def create_partition(connection: Connection, first: datetime) -> bool:
    """Make the partition for the month that begins at `first`; False when it is there already."""
    return by_month.create_partition(connection, _TABLE, first)
