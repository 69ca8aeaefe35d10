"""Applying envelopes: each is recorded with its effect, in one transaction, or kept to be tried again.

    reader = Reader(database, "organizations", on_event.apply, now=clock.now)
    reader.take(letters)   # returns when each is applied, or kept: then they may be acknowledged
    reader.try_again()     # whoever has time

A batch is one transaction. When it fails, its envelopes are tried one by one, so that the one at fault shows
itself. That is kept in `parked` at once, and holds up nobody; there it is tried again (`parking.PAUSES`).
While the database is away nothing is at fault: StorageUnavailable goes through, and nothing is acknowledged.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from dhos_connector_api.db.engine import Database, named_failure
from dhos_connector_api.errors import StorageBusy, StorageUnavailable
from dhos_connector_api.inbox import parking, store
from dhos_connector_api.inbox.letter import BadEnvelope, Letter
from dhos_connector_api.inbox.metrics import APPLIED, RECEIVED_TO_APPLIED_SECONDS
from dhos_connector_api.log import where
from dhos_connector_api.metrics import age

log = logging.getLogger(__name__)

#: How often one that met another's work (a deadlock) is tried at once, before it is kept.
_AT_ONCE = 3
_BUSY = StorageBusy("the database could not do it in time")

#: What a consumer does with envelopes in a transaction that it neither commits nor ends.
Effect = Callable[[Connection, Sequence[Letter], datetime], None]


@dataclass(frozen=True, slots=True)
class Reader:
    """One consumer: the name under which it records what it has applied, and its effect.

    `keys` are the routing keys of what it has a use for, None: all. What came under others it passes over:
    nothing of it is recorded, looked at or kept.
    """

    database: Database
    consumer: str
    effect: Effect
    now: Callable[[], datetime]
    keys: frozenset[str] | None = None

    def take(self, letters: Sequence[Letter]) -> None:
        """Apply each envelope once, or keep it to be tried again. Raises StorageUnavailable."""
        wanted = [each for each in letters if self.keys is None or each.routing_key in self.keys]
        readable = [each for each in wanted if self._is_readable(each)]
        if self._attempt(readable) is not None:
            for each in readable:
                self._take_one(each)

    def try_again(self) -> bool:
        """Try the one that is due for longest; return False: none is due. Raises StorageUnavailable."""
        with self.database.transaction() as connection:
            due = parking.take_due(connection, self.consumer, self.now())
            if due is None:
                return False
            error, final = self._tried(connection, due.letter)
            if error is None:
                parking.done(connection, self.consumer, due.letter.id)
            else:
                parking.failed(connection, self.consumer, due, error=error, at=self.now(), final=final)
        self._count("tried in vain" if error else "applied", 1)
        return True

    def _is_readable(self, letter: Letter) -> bool:
        try:
            letter.check()
        except BadEnvelope as error:
            self._keep(letter, error.text, final=True)
            return False
        return True

    def _take_one(self, letter: Letter) -> None:
        errors = (self._attempt([letter]) for _ in range(_AT_ONCE))
        error = next((each for each in errors if not isinstance(each, StorageBusy)), _BUSY)
        if error is not None:
            self._keep(letter, where(error), final=False)

    def _attempt(self, letters: Sequence[Letter]) -> Exception | None:
        """Apply them; return what kept it from them, None: nothing. Raises StorageUnavailable."""
        try:
            self._apply(letters)
        except StorageBusy as error:
            return error
        except StorageUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  an effect may raise anything, and may not hold up others
            return error
        return None

    def _apply(self, letters: Sequence[Letter]) -> None:
        if not letters:
            return
        with self.database.transaction() as connection:
            at = self.now()
            new = store.record_all(connection, self.consumer, [each.id for each in letters], at)
            fresh = list({each.id: each for each in letters if each.id in new}.values())
            if fresh:
                self.effect(connection, fresh, at)
        for each in fresh:
            if each.received_at is not None:
                RECEIVED_TO_APPLIED_SECONDS.observe(age(each.received_at, self.now()))
        self._count("applied", len(fresh))
        self._count("known", len(letters) - len(fresh))

    def _tried(self, connection: Connection, letter: Letter) -> tuple[str | None, bool]:
        """Apply it within a savepoint; return why it failed, if it did, and whether that is for ever."""
        try:
            letter.check()
            with connection.begin_nested():
                if store.record(connection, self.consumer, letter.id, self.now()):
                    self.effect(connection, [letter], self.now())
        except BadEnvelope as error:
            return error.text, True
        except Exception as error:
            named = named_failure(error, self.database.engine.url)
            if isinstance(error, StorageUnavailable) or not (named is None or isinstance(named, StorageBusy)):
                raise
            return where(error), False
        return None, False

    def _keep(self, letter: Letter, error: str, *, final: bool) -> None:
        with self.database.transaction() as connection:
            parking.put(connection, self.consumer, letter, error=error, at=self.now(), final=final)
        log.warning(
            "an envelope could not be applied",
            extra={"consumer": self.consumer, "message_id": letter.id, "error": error, "parked": final},
        )
        self._count("unreadable" if final else "tried in vain", 1)

    def _count(self, outcome: str, count: int) -> None:
        if count:
            APPLIED.labels(consumer=self.consumer, outcome=outcome).inc(count)
