"""Seal what has been committed: a month's next link, over all rows of transactions that have ended."""

import logging
from datetime import date, datetime

from sqlalchemy import Connection

from dhos_connector_api.px.audit import search, store
from dhos_connector_api.px.audit.chain import NOTHING, Link, Range

log = logging.getLogger(__name__)

#: Rows of one seal, more or less: those of one transaction are never parted.
ROWS = 20_000


def seal_next(connection: Connection, now: datetime, rows: int = ROWS) -> bool:
    """Store the next seal of the first month that has something to seal; False: none has.

    No writer waits for it: only another that seals does. The hash goes to the log, so that it is
    also where who alters the database does not get at it.
    """
    store.lock_seals(connection)
    for month in search.months_with_rows(connection):
        for epoch, settled in search.settled_before(connection, month):
            if found := search.next_range(connection, month, epoch, settled, rows):
                _seal(connection, found, now)
                return True
    return False


def _seal(connection: Connection, of: Range, now: datetime) -> None:
    before = search.newest_seal(connection, of.month)
    number, previous = (before.number + 1, before.hash) if before else (1, NOTHING)
    link, last = Link(previous, number, of), None
    for row in search.rows(connection, of):
        link.add((row,))
        last = row["id"]
    values = {"month": of.month, "number": number, "epoch": of.epoch}
    values |= {"from_txid": of.from_txid, "to_txid": of.to_txid, "rows": link.rows, "last_id": last}
    values |= {"sealed_at": now, "previous": previous, "hash": link.hash(), "digests": bytes(link.digests)}
    store.store_seal(connection, values)
    _log(of.month, number, link)


def _log(month: date, number: int, link: Link) -> None:
    said = {"month": f"{month:%Y-%m}", "number": number, "rows": link.rows, "hash": link.hash().hex()}
    log.info("sealed the audit trail", extra=said)
