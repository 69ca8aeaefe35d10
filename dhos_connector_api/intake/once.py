"""Requests of events that may be sent again under an Idempotency-Key: done once, answered alike each time."""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.events import idempotency
from dhos_connector_api.events.idempotency import Answer, Request
from dhos_connector_api.intake import counting
from dhos_connector_api.intake.arrival import Arrival, Intake, Receipt
from dhos_connector_api.intake.take import kept, read_one, take_read
from dhos_connector_api.outbox import wake


def take_once(
    arrival: Arrival,
    intake: Intake,
    database: Database,
    request: Callable[[], Request | None],
    answer: Callable[[Receipt], Answer],
) -> Answer:
    """Take one arrival; under a key in one transaction with its answer. Return that, or the first one's.

    `request` is asked for the key once the arrival is known to fit; None: there is none. Raises KeyReused,
    Conflict while the first is running, and what `answer` raises: then nothing is kept.
    """
    read = read_one(arrival, intake)
    named = request() if read.refusal is None else None
    if named is None:
        return answer(take_read(database, read))
    with database.transaction() as connection:
        held = idempotency.claim(connection, named, clock.new_uuid(arrival.at), at=arrival.at)
        if isinstance(held, Answer):
            return held
        receipt = kept(connection, read)
        given = answer(receipt)
        idempotency.answer(connection, named, given)
    wake.wake()
    counting.count(read, receipt)
    return given


def do_once(database: Database, request: Request, work: Callable[[UUID], Answer]) -> Answer:
    """Run `work`, which commits as it goes, under a claim of that key; return its answer, or the first one's.

    Raises KeyReused, Conflict, and what `work` raises: then the same request may come again at once.
    """
    now = clock.now()
    with database.transaction() as connection:
        held = idempotency.claim(connection, request, clock.new_uuid(now), at=now)
    if isinstance(held, Answer):
        return held
    try:
        given = work(held)
        with database.transaction() as connection:
            idempotency.answer(connection, request, given)
    except Exception:
        with suppress(StorageUnavailable), database.transaction() as connection:
            idempotency.release(connection, request, at=clock.now())
        raise
    return given
