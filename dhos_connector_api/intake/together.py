"""Takes many arrivals at once, in groups; one that cannot be kept never takes the others with it."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import psycopg
from sqlalchemy.exc import DataError, IntegrityError

from dhos_connector_api import clock
from dhos_connector_api.db.engine import FAILURES, Database
from dhos_connector_api.errors import StorageBusy, StorageUnavailable
from dhos_connector_api.intake import counting
from dhos_connector_api.intake.arrival import Arrival, Intake, Read, Receipt
from dhos_connector_api.intake.control_ids import logged
from dhos_connector_api.intake.take import TOGETHER, Also, Effect, keep_alone, read_one, refused
from dhos_connector_api.log import correlation_id, where
from dhos_connector_api.outbox import wake

_log = logging.getLogger(__name__)

#: Seconds lost to failures after which what is left is given up: others wait behind it.
MOST_LOST = 15.0
#: What PostgreSQL will not have.
_REFUSED = (DataError, IntegrityError, psycopg.DataError, psycopg.IntegrityError)
#: When the database is away so often in a row, the rest is not tried.
_HOPELESS = 2


class Patience:
    """How long a caller goes on trying: not when the database is away, and not for ever."""

    def __init__(self, seconds: float = MOST_LOST) -> None:
        self._seconds = seconds
        self._away = 0

    @property
    def left(self) -> bool:
        """Whether to try once more."""
        return self._away < _HOPELESS and self._seconds > 0

    def succeeded(self) -> None:
        """Note that the database is there."""
        self._away = 0

    def failed(self, error: Exception, began: float) -> None:
        """Note that one arrival, tried from `began` on, was not kept.

        That PostgreSQL refuses it, or that its key is held, says nothing of the next; what it refuses
        is no lost time either: there may be any number of it.
        """
        if isinstance(error, _REFUSED):
            self._away = 0
            return
        away = isinstance(error, StorageUnavailable) and not isinstance(error, StorageBusy)
        self._away = self._away + 1 if away else 0
        self.lost(began)

    def lost(self, began: float) -> None:
        """Note that the time since `began` brought nothing."""
        self._seconds -= clock.monotonic() - began


@dataclass(frozen=True, slots=True)
class Taken:
    """An arrival that was read, and its receipt; None: it could not be stored, and must not be acknowledged.

    `error` is why it was not stored, or None where it was not tried for want of patience.
    """

    read: Read
    receipt: Receipt | None
    error: Exception | None = None


def take_together(
    arrivals: Iterable[Arrival],
    intake: Intake,
    database: Database,
    *,
    patience: Patience | None = None,
    also: Also | None = None,
    in_order: bool = False,
) -> Iterator[Taken]:
    """Read, keep, commit and count arrivals, group by group; yield each with its receipt, in their order.

    No more is read than is kept together. What `also` gives an effect for is kept by itself. Unless
    they have to be kept `in_order`, a group claims its keys in the keys' order, so that two groups do
    not wait for each other in a circle; where they do all the same, PostgreSQL ends one of them, and
    its arrivals are kept one by one.
    """
    reads = _read_all(arrivals, intake)
    for group in keep_together(reads, database, patience or Patience(), also=also, in_order=in_order):
        counting.count_all((each.read, each.receipt) for each in group if each.receipt is not None)
        yield from group
        del group  # it is not held while the next one is read


def _read_all(arrivals: Iterable[Arrival], intake: Intake) -> Iterator[Read]:
    for arrival in arrivals:
        correlation_id.set(arrival.correlation_id)
        yield read_one(arrival, intake)


def keep_together(
    reads: Iterable[Read],
    database: Database,
    patience: Patience,
    *,
    also: Also | None = None,
    in_order: bool = False,
) -> Iterator[list[Taken]]:
    """Keep what has been read, and yield each group when it is committed; as `take_together` does."""
    for group in groups(reads):
        taken = _take_group(database, group, patience, also, in_order=in_order)
        wake.wake()
        del group  # nor what was read of it
        yield taken
        del taken


def groups(reads: Iterable[Read]) -> Iterator[list[Read]]:
    """Yield what is kept together: of one kind, so many and so much that memory stays bounded."""
    group: list[Read] = []
    size = 0
    for read in reads:
        if group and group[0].arrival.kind is not read.arrival.kind:
            yield group
            group, size = [], 0
        group.append(read)
        size += read.size
        limits = TOGETHER.get(read.arrival.kind)
        if limits is None or len(group) >= limits.MOST or size >= limits.MOST_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _take_group(
    database: Database, group: Sequence[Read], patience: Patience, also: Also | None, *, in_order: bool
) -> list[Taken]:
    effects = {each.uuid: effect for each in group if also and (effect := also(each))}
    receipts = {each.uuid: refused(each.refusal) for each in group if each.refusal is not None}
    alone = effects.keys() | receipts.keys()
    together = [each for each in group if each.uuid not in alone and not each.asks_first]
    tried: set[UUID] = set()
    if len(together) > 1 and patience.left:  # one alone is its own transaction
        if not in_order:
            together.sort(key=lambda each: each.order)
        kept = _keep_all(database, together, patience)
        receipts |= kept or {}
        tried = set() if kept is not None else {each.uuid for each in together}
    return [
        Taken(each, receipts[each.uuid])
        if each.uuid in receipts
        else _take_alone(database, each, effects.get(each.uuid), patience, tried=each.uuid in tried)
        for each in group
    ]


def _keep_all(database: Database, reads: Sequence[Read], patience: Patience) -> dict[UUID, Receipt] | None:
    """The receipts of what could be kept by one trip; None where it failed, as far as we know.

    Raises what keeps others of its kind from being kept, too (`PASSED_OVER`).
    """
    steps, began = TOGETHER[reads[0].arrival.kind], clock.monotonic()
    try:
        return steps.keep_all(database, reads)
    except FAILURES as error:
        if not isinstance(error, steps.PASSED_OVER):
            raise
        patience.failed(error, began)
        level = logging.DEBUG if _is_outage(error) else logging.WARNING
        about = {"arrivals": len(reads), "cause": where(error)}
        _log.log(level, "arrivals are stored one by one", extra=about)
        return None


def _take_alone(
    database: Database, read: Read, effect: Effect | None, patience: Patience, *, tried: bool
) -> Taken:
    """Keep one by itself; one that was `tried` before may have been kept, and only the answer lost."""
    if not patience.left:
        return Taken(read, None)
    correlation_id.set(read.arrival.correlation_id)
    began = clock.monotonic()
    try:
        receipt = keep_alone(database, replace(read, asks_first=True) if tried else read, effect)
    except Exception as error:
        if not isinstance(error, _passed_over(read)):
            raise
        patience.failed(error, began)
        _log.log(_level(error), "an arrival was not stored", extra=_about(read, error))
        return Taken(read, None, error)
    patience.succeeded()
    return Taken(read, receipt)


def _passed_over(read: Read) -> tuple[type[Exception], ...]:
    """After which failures of this one the others are kept all the same."""
    steps = TOGETHER.get(read.arrival.kind)
    return (Exception,) if steps is None else steps.PASSED_OVER


def _is_outage(error: Exception) -> bool:
    """Return whether the log says once a minute what this is, whatever number of arrivals meets it."""
    return isinstance(error, StorageUnavailable) and error.fault is not None


def _level(error: Exception) -> int:
    if _is_outage(error):
        return logging.DEBUG
    return logging.WARNING if isinstance(error, _REFUSED) else logging.ERROR


def _about(read: Read, error: Exception) -> dict[str, str]:
    """What a log line says of an arrival that was not stored."""
    control_id = logged(read.row.message_control_id if read.row else None, read.intake.log_key)
    return {"message_uuid": str(read.uuid), "control_id": control_id, "cause": where(error)}
