"""The hospitals that HIS intake knows beside those of the site's configuration: those of the database."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.px.organizations import identifier_store
from dhos_connector_api.site.model import Hospital

_log = logging.getLogger(__name__)

#: Seconds for which what was read holds.
FRESH = 5.0
#: Hospitals that are known at most: each request with a hospital looks through them.
MOST = 1000


class KnownHospitals:
    """Gives the hospitals that a HIS calls something, read anew every FRESH seconds.

    hospitals = KnownHospitals(database)
    hospitals()  # the same tuple as before, as long as they are the same

    One thread reads, others go on with what was known; so does everybody while the database is away.
    """

    def __init__(self, database: Database, now: Callable[[], float] = clock.monotonic) -> None:
        self._database, self._now = database, now
        self._known: tuple[Hospital, ...] = ()
        self._fresh_until = float("-inf")
        self._reading = threading.Lock()

    def __call__(self) -> tuple[Hospital, ...]:
        """Return them, by code."""
        if self._now() >= self._fresh_until and self._reading.acquire(blocking=False):
            try:
                self._read()
            finally:
                self._reading.release()
        return self._known

    def _read(self) -> None:
        try:
            with self._database.statements() as connection:
                rows = identifier_store.known(connection, identifier_store.HIS, MOST)
        except (StorageUnavailable, SQLAlchemyError):
            _log.warning("hospitals could not be read; those known before stay")
        else:
            found = tuple(_hospital(row) for row in rows)
            if found != self._known:
                self._known = found
        self._fresh_until = self._now() + FRESH


def _hospital(row: Any) -> Hospital:
    ids, names = frozenset(row["ids"] or ()), frozenset(row["names"] or ())
    return Hospital(code=row["code"], name=row["name"], ids=ids, names=names)
