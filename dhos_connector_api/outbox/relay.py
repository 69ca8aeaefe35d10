"""One step of the relay: select waiting rows, publish them, settle what became of them.

Publishing is handed in. A row is settled only when every row of its sender before it is: what was
confirmed after a gap is published again, under the same id, so that order holds. Rows that came back
as unroutable are the exception: they stay behind with their routing key, and the sender goes on.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.actions.envelope import Envelope, Outcome
from dhos_connector_api.outbox import store
from dhos_connector_api.outbox.backoff import Backoff
from dhos_connector_api.outbox.metrics import COMMIT_TO_CONFIRM_SECONDS, PUBLISH_SECONDS, PUBLISHED
from dhos_connector_api.outbox.store import Stream, WaitingRow, whole_sender

Publish = Callable[[Sequence[Envelope]], Sequence[Outcome]]

#: The most rows of one batch.
BATCH = 500

#: What is noted with a row, by outcome: fixed texts, which cannot quote anything.
ERRORS = {
    Outcome.RETURNED: "unroutable: no queue is bound to this routing key",
    Outcome.REFUSED: "refused: the broker or a consumer did not take it",
    Outcome.UNKNOWN: "no answer: the connection was lost before the broker confirmed it",
    Outcome.IMPOSSIBLE: "impossible: it does not fit into an AMQP message, or is too large",
}


@dataclass(slots=True)
class Settlement:
    """The changes to the outbox that follow from the outcomes of one batch."""

    confirmed: list[WaitingRow] = field(default_factory=list)
    impossible: list[WaitingRow] = field(default_factory=list)
    failed: dict[Outcome, list[WaitingRow]] = field(default_factory=dict)
    #: What stopped (a stream, or a whole sender), and how many rows from there on may be at fault.
    stopped: dict[Stream, int] = field(default_factory=dict)


def settlement(rows: Sequence[WaitingRow], outcomes: Sequence[Outcome]) -> Settlement:
    """Return a batch sorted by what is to be noted (pure); rows of a sender stand in their order.

    After an unroutable row its stream has stopped, after one that was refused or not answered its
    whole sender: later confirms of what has stopped count for nothing.
    """
    result = Settlement()
    for row, outcome in zip(rows, outcomes, strict=True):
        whole = whole_sender(row.stream)
        if outcome is Outcome.IMPOSSIBLE:
            result.impossible.append(row)
        elif outcome is not Outcome.CONFIRMED:
            result.failed.setdefault(outcome, []).append(row)
            unit = row.stream if outcome is Outcome.RETURNED else whole
            # Only an unknown outcome leaves open which row was at fault.
            unknown = 1 if outcome is Outcome.UNKNOWN else 0
            result.stopped[unit] = max(1, result.stopped.get(unit, 0) + unknown)
        elif row.stream not in result.stopped and whole not in result.stopped:
            result.confirmed.append(row)
    return result


class Relay:
    """Publishes what waits, step by step, on one session; `connection` commits each statement by itself.

    Any error of the session goes through: the caller must then stop publishing at once.
    """

    def __init__(
        self,
        connection: Connection,
        publish: Publish,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        batch: int = BATCH,
    ) -> None:
        self._connection = connection
        self._publish = publish
        self._now = now
        self._monotonic = monotonic
        self._batch = batch
        self._backoff = Backoff()
        self._after = ""
        #: Whether the last batch left rows behind, as far as it could tell.
        self.behind = False

    def step(self) -> bool:
        """Publish one batch and settle it; False when there was nothing to publish now."""
        rows = self._select()
        self.behind = _is_full(rows, self._batch)
        if not rows:
            return False
        with PUBLISH_SECONDS.time():
            outcomes = self._publish([row.envelope for row in rows])
        for outcome, count in Counter(outcomes).items():
            PUBLISHED.labels(outcome=outcome.value).inc(count)
        self._settle(settlement(rows, outcomes))
        return True

    def _select(self) -> list[WaitingRow]:
        """Return a single row of what failed before and is due, else a batch of all the others."""
        due = self._backoff.due(self._monotonic())
        if due is not None:
            row = self._next_of(due)
            if row is not None:
                return [row]
            self._backoff.forget(due)
        rows = store.waiting(
            self._connection, rows=self._batch, held=self._backoff.streams(), after=self._after
        )
        if rows:
            self._after = max(row.stream[0] for row in rows)
        return rows

    def _next_of(self, due: Stream) -> WaitingRow | None:
        """Return the next row of a stream, or of a whole sender but for its unroutable streams, or None."""
        sender, routing_key = due
        if routing_key:
            return store.first_waiting(self._connection, due)
        held = [stream for stream in self._backoff.streams() if stream[1]]
        rows = store.waiting(self._connection, rows=1, held=held, sender=sender)
        return rows[0] if rows else None

    def _settle(self, result: Settlement) -> None:
        at = self._now()
        if result.confirmed:
            store.settle(self._connection, _ids(result.confirmed), at=at)
            for row in result.confirmed:
                COMMIT_TO_CONFIRM_SECONDS.observe(max(0.0, (at - row.created).total_seconds()))
        if result.impossible:
            error = ERRORS[Outcome.IMPOSSIBLE]
            store.mark_dead(self._connection, _ids(result.impossible), at=at, error=error)
        for outcome, rows in result.failed.items():
            store.count_attempt(self._connection, _ids(rows), error=ERRORS[outcome])
        if len(self._backoff):
            for row in (*result.confirmed, *result.impossible):
                self._backoff.advanced(row.stream)
                self._backoff.advanced(whole_sender(row.stream))
        now = self._monotonic()
        for stream, doubtful in result.stopped.items():
            self._backoff.failed(stream, now=now, doubtful=doubtful)


def _is_full(rows: Sequence[WaitingRow], most: int) -> bool:
    """Return whether a sender gave as many rows as its share of `most` allows: it may have more."""
    senders = Counter(row.stream[0] for row in rows)
    return bool(senders) and max(senders.values()) >= max(1, most // len(senders))


def _ids(rows: Sequence[WaitingRow]) -> list[UUID]:
    return [row.envelope.id for row in rows]
