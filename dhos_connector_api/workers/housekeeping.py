"""What has to be done now and then: prune envelopes and Idempotency-Keys, make room for the next months.

Any number of processes may run it; an advisory lock of the transaction lets one work at a time.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.events import idempotency
from dhos_connector_api.messages.periodic import create_partition, months, partition_name
from dhos_connector_api.outbox import store
from dhos_connector_api.workers import loop

log = logging.getLogger(__name__)

#: "dhos" and a number, see `lease.RELAY_LOCK`.
HOUSEKEEPING_LOCK = 0x64686F73_0002
#: Rows of one DELETE: a short transaction, which holds up nobody.
PRUNED_AT_ONCE = 5_000
#: Partitions of message_body exist for this month and so many after it.
MONTHS_AHEAD = 2
REST = 60.0
PARTITIONS_EVERY = 3600.0


class Housekeeping:
    """The step of the housekeeping process; `retention` is how long published envelopes are kept."""

    def __init__(
        self,
        database: Database,
        *,
        retention: timedelta,
        now: Callable[[], datetime] = clock.now,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._database = database
        self._retention = retention
        self._now = now
        self._monotonic = monotonic
        self._partitions_due = 0.0

    def step(self) -> bool:
        """One bounded piece of work; False when all is tidy or another process is at it.

        Raises StorageUnavailable.
        """
        if self._monotonic() >= self._partitions_due:
            self._partitions_due = self._monotonic() + PARTITIONS_EVERY
            for first in months(self._now(), MONTHS_AHEAD):
                self._make_partition(first)
        with self._database.transaction() as connection:
            if not _ours(connection):
                return False
            before = self._now() - self._retention
            published = store.prune(connection, published_before=before, limit=PRUNED_AT_ONCE)
            forgotten = idempotency.prune(connection, at=self._now(), limit=PRUNED_AT_ONCE)
            return PRUNED_AT_ONCE in (published, forgotten)

    def _make_partition(self, first: datetime) -> None:
        """Make the partition of that month; a month that cannot have one now is tried again later."""
        try:
            with self._database.transaction() as connection:
                if _ours(connection) and create_partition(connection, first):
                    log.info("made a partition", extra={"partition": partition_name(first)})
        except IntegrityError:
            # Messages of that month are in the default partition already; they are served from there.
            log.warning("a month stays in the default partition", extra={"partition": partition_name(first)})
        except StorageUnavailable:
            # The table is busy, or the server away. There is time: the months lie ahead.
            log.warning("could not make a partition yet", extra={"partition": partition_name(first)})
            self._partitions_due = self._monotonic() + REST


def _ours(connection: Connection) -> bool:
    """True when no other process keeps house; the lock ends with the transaction."""
    taken: bool = connection.execute(
        text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": HOUSEKEEPING_LOCK}
    ).scalar_one()
    return taken


def run(database: Database, retention: timedelta, stop: threading.Event) -> None:
    """Keep house until `stop` is set."""
    keeper = Housekeeping(database, retention=retention)
    loop.run(keeper.step, idle=stop.wait, rest=lambda worked: 0.0 if worked else REST, stop=stop)
