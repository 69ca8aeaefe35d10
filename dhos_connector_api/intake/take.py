"""Takes what comes in, of every kind: read it, keep it, commit, count it; then the door answers.

`also` is for what has to stand or fall with it: it gets what was read and gives an effect, or None;
the effect runs in the transaction that keeps it, and gives what to do after the commit, or None.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import ConnectorError, StorageBusy
from dhos_connector_api.intake import counting, event, his, hl7, webhook
from dhos_connector_api.intake.arrival import Arrival, Intake, Outcome, Read, Receipt
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.outbox import wake

AfterCommit = Callable[[], None]
Effect = Callable[[Connection, Receipt], AfterCommit | None]
Also = Callable[[Any], Effect | None]


class _Steps(Protocol):
    """What the module of a kind has; `IN_TRANSACTION` where `keep` writes by several statements."""

    IN_TRANSACTION: bool

    def read(self, arrival: Arrival, intake: Intake) -> Read: ...
    def keep(self, connection: Connection, read: Any) -> Receipt | None: ...
    def known(self, connection: Connection, read: Any) -> Receipt | None: ...


class _Together(Protocol):
    """What the module of a kind has that can be kept together, how much of it is at a time, and after
    which failures of one the others are kept all the same.
    """

    MOST: int
    MOST_BYTES: int
    PASSED_OVER: tuple[type[Exception], ...]

    def keep_all(self, database: Database, reads: Sequence[Any]) -> dict[UUID, Receipt]: ...


KINDS: Mapping[Kind, _Steps] = {
    Kind.HL7: hl7,
    Kind.HIS: his,
    Kind.WEBHOOK: webhook,
    Kind.EVENT: event,
}
TOGETHER: Mapping[Kind, _Together] = {Kind.HL7: hl7, Kind.EVENT: event}


def take(arrival: Arrival, intake: Intake, database: Database, *, also: Also | None = None) -> Receipt:
    """Read, keep, commit and count one arrival; return what became of it, to be answered.

    Raises StorageUnavailable, StorageBusy, and what `Door.admit` raises: then nothing is kept.
    """
    read = read_one(arrival, intake)
    return take_read(database, read, also(read) if also else None)


def take_read(database: Database, read: Read, effect: Effect | None = None) -> Receipt:
    """Keep, commit and count what has been read, as `take` does."""
    receipt = keep_alone(database, read, effect)
    wake.wake()
    counting.count(read, receipt)
    return receipt


def read_one(arrival: Arrival, intake: Intake) -> Read:
    """Return what an arrival says; nothing is stored."""
    return KINDS[arrival.kind].read(arrival, intake)


def keep_alone(database: Database, read: Read, effect: Effect | None = None) -> Receipt:
    """Keep one arrival, or find that it is known; it is committed when this returns."""
    if read.refusal is not None:
        return refused(read.refusal)
    if read.arrival.door.admit is not None:
        with database.statements() as connection:
            receipt = KINDS[read.arrival.kind].known(connection, read)
        if receipt is not None:
            return receipt
        read.arrival.door.admit()
    if effect is not None:
        return _keep_with(database, read, effect)
    if KINDS[read.arrival.kind].IN_TRANSACTION:
        return _keep_in_transaction(database, read)
    with database.statements() as connection:
        return kept(connection, read)


def _keep_with(database: Database, read: Read, effect: Effect) -> Receipt:
    with database.transaction() as connection:
        receipt = kept(connection, read)
        after = effect(connection, receipt)
    if after is not None:
        after()
    return receipt


def _keep_in_transaction(database: Database, read: Read) -> Receipt:
    """Copies are answered outside the transaction: they wait for one another only while they are counted."""
    steps = KINDS[read.arrival.kind]
    with database.transaction() as connection:
        receipt = steps.keep(connection, read)
    if receipt is None:
        with database.statements() as connection:
            receipt = steps.known(connection, read)
    return _found(receipt)


def kept(connection: Connection, read: Read) -> Receipt:
    """Keep one arrival on `connection`, or find that it is known. Raises StorageBusy."""
    if read.refusal is not None:
        return refused(read.refusal)
    steps = KINDS[read.arrival.kind]
    if read.asks_first and (receipt := steps.known(connection, read)) is not None:
        return receipt
    return _found(steps.keep(connection, read) or steps.known(connection, read))


def refused(error: ConnectorError) -> Receipt:
    """Return the receipt of an arrival of which nothing is kept."""
    return Receipt(None, Outcome.INVALID, None, error)


def _found(receipt: Receipt | None) -> Receipt:
    if receipt is None:
        raise StorageBusy("what holds its name was kept and forgotten in the same moment")
    return receipt
