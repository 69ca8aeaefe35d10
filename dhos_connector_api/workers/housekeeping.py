"""Housekeeping: runs the periodic jobs of the rooms, each when it is due.

Any number of processes may run it; an advisory lock of the transaction lets one work at a time.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.db.jobs import Job
from dhos_connector_api.workers import loop

#: "dhos" and a number, see `lease.RELAY_LOCK`.
HOUSEKEEPING_LOCK = 0x64686F73_0002
#: Seconds between two looks for what is due, and until a job that failed is tried again.
REST = 60.0
#: Seconds between two pieces while more is left: what comes in goes before what goes.
PAUSE = 0.1


class Housekeeping:
    """The step of housekeeping: one bounded piece of each job that is due."""

    def __init__(
        self,
        database: Database,
        jobs: Sequence[Job],
        *,
        now: Callable[[], datetime] = clock.now,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._database = database
        self._now = now
        self._monotonic = monotonic
        self._due = dict.fromkeys(jobs, 0.0)

    def step(self) -> bool:
        """Do a piece of every job that is due; False when no job has more, or another process is at it.

        A job that fails is logged and tried again after a while; the others go on.
        """
        started = self._monotonic()
        more = [self._piece(job, started) for job, due in self._due.items() if due <= started]
        return any(more)

    def _piece(self, job: Job, started: float) -> bool:
        more = False

        def attempt() -> None:
            nonlocal more
            with self._database.transaction() as connection:
                more = _ours(connection) and job.step(connection, self._now())

        if not loop.logged(attempt, f"a periodic job failed: {job.name}"):
            self._due[job] = started + REST
            return False
        if not more:
            self._due[job] = started + job.every.total_seconds()
        return more


def _ours(connection: Connection) -> bool:
    """Return True when no other process keeps house; the lock ends with the transaction."""
    taken: bool = connection.execute(
        text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": HOUSEKEEPING_LOCK}
    ).scalar_one()
    return taken


def run(database: Database, jobs: Sequence[Job], stop: threading.Event) -> None:
    """Keep house until `stop` is set."""
    keeper = Housekeeping(database, jobs)
    loop.run(keeper.step, idle=stop.wait, rest=lambda worked: PAUSE if worked else REST, stop=stop)
