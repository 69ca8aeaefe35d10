"""Periodic jobs in the database: each room's `periodic.py` declares it as jobs.

    def jobs(settings: Settings) -> tuple[Job, ...]:
        return (Job("prune the outbox", EVERY_MINUTE, step),)

`workers/housekeeping.py` runs them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

EVERY_MINUTE = timedelta(minutes=1)
#: Rows of one DELETE: a short transaction, which holds up nobody.
PRUNED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Job:
    """One job, and how often it is due.

    `step` does one bounded piece of it, in a transaction of its own at the time it is given, and
    returns whether more is left. When it raises, its work is undone and tried again later.
    """

    name: str
    every: timedelta
    step: Callable[[Connection, datetime], bool]
