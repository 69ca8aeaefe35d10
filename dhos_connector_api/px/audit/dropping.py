"""Months of the audit trail that have had their time: their rows go, their seals stay."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection

from dhos_connector_api.px.audit import search, store

log = logging.getLogger(__name__)


def drop_next(connection: Connection, now: datetime, kept: int) -> bool:
    """Remove the rows of the oldest month that ended over `kept` seconds ago; False: there is none.

    A month stays that has rows which are not sealed, or no partition of its own.
    """
    store.lock_seals(connection)
    waiting = search.unsealed(connection).months
    gone = {each.month for each in search.dropped(connection)}
    for month in search.months_with_rows(connection):
        _, after = search.bounds(month)
        if after > now - timedelta(seconds=kept):
            return False
        if month not in gone | waiting and search.has_partition(connection, month):
            store.drop(connection, month, now)
            log.info("dropped a month of the audit trail", extra={"month": f"{month:%Y-%m}"})
            return True
    return False
