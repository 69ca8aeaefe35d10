"""One step of the relay: select waiting rows, publish them, settle what became of them.

Publishing is handed in. A row is settled only when every row of its sender before it is: what was
confirmed after a gap is published again, under the same id, so that order holds. Rows that came back
as unroutable are the exception: they stay behind with their routing key, and the sender goes on.

Nothing is published while the batch before could not be settled, nor on a session that has not shown
that it can settle.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.actions.envelope import Envelope, Outcome
from dhos_connector_api.outbox import store
from dhos_connector_api.outbox.metrics import COMMIT_TO_CONFIRM_SECONDS, PUBLISH_SECONDS, PUBLISHED
from dhos_connector_api.outbox.room import NothingKnown, Room
from dhos_connector_api.outbox.rows import Mark, WaitingRow
from dhos_connector_api.outbox.selection import Selection
from dhos_connector_api.outbox.settlement import ERRORS, Unsettled, settlement
from dhos_connector_api.outbox.window import Window

Publish = Callable[[Sequence[Envelope]], Sequence[Outcome]]


class Relay:
    """Publishes what waits, step by step, on one session at a time.

        relay = Relay(publisher.publish, now=clock.now, monotonic=clock.monotonic)
        relay.begin(connection)  # commits each statement by itself
        while relay.step(): ...

    Any error of the session goes through: the caller must then stop publishing at once, and begin
    again on another session. What could not be settled is kept until then.
    """

    def __init__(
        self,
        publish: Publish,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        room: Room | None = None,
    ) -> None:
        self._publish = publish
        self._now = now
        self._selection = Selection(Window(), monotonic, room or NothingKnown())
        self._unsettled: Unsettled | None = None
        self._is_proven = False
        #: Envelopes of the batch that is being published.
        self.under_way = 0

    @property
    def behind(self) -> bool:
        """Whether more could be published at once, as far as the last step could tell."""
        return self._selection.has_more

    def begin(self, connection: Connection) -> None:
        """Go on on this session: settle first what the one before could not."""
        self._connection = connection
        self._selection.begin(connection)
        self._is_proven = False
        self._settle()

    def step(self) -> bool:
        """Publish one batch and settle it; False when there was nothing to publish now."""
        self._settle()
        rows = self._proven(self._selection.next())
        if not rows:
            return False
        self.under_way = len(rows)
        try:
            with PUBLISH_SECONDS.time():
                outcomes = self._publish([row.envelope for row in rows])
        except Exception:
            self._note(rows, [Outcome.UNKNOWN] * len(rows))  # or the next step would publish the same again
            raise
        finally:
            self.under_way = 0
        self._note(rows, outcomes)
        self._settle()
        return True

    def _note(self, rows: Sequence[WaitingRow], outcomes: Sequence[Outcome]) -> None:
        """Note the outcomes of a batch, to be settled, to be counted, and for what is published next."""
        result = settlement(rows, outcomes)
        at = self._now()
        self._unsettled = Unsettled.of(result, at)
        self._selection.learn(rows, outcomes, result)
        for outcome, count in Counter(outcomes).items():
            PUBLISHED.labels(outcome=outcome.value).inc(count)
        for row in result.confirmed:
            COMMIT_TO_CONFIRM_SECONDS.observe(max(0.0, (at - row.created).total_seconds()))

    def _proven(self, rows: list[WaitingRow]) -> list[WaitingRow]:
        """Return these rows once this session has written one of them; nothing where that was changed."""
        if self._is_proven or not rows:
            return rows
        (id_, writer), *_ = (row.mark for row in rows)
        proven = store.prove(self._connection, id_, writer=writer)
        if proven is None:
            return []
        self._is_proven = True
        return [replace(rows[0], mark=(id_, proven)), *rows[1:]]

    def _settle(self) -> None:
        """Write what became of the last batch, unless that is done; what raises leaves it to be done."""
        left = self._unsettled
        if left is None:
            return
        if left.confirmed:
            ids, writers = _parts(left.confirmed)
            store.settle(self._connection, ids, at=left.at, writers=writers)
        if left.impossible:
            ids, writers = _parts(left.impossible)
            error = ERRORS[Outcome.IMPOSSIBLE]
            store.mark_dead(self._connection, ids, at=left.at, error=error, writers=writers)
        for outcome, marks in left.failed.items():
            ids, writers = _parts(marks)
            store.count_attempt(self._connection, ids, error=ERRORS[outcome], writers=writers)
        self._unsettled = None


def _parts(marks: Sequence[Mark]) -> tuple[list[UUID], set[str]]:
    return [id_ for id_, _ in marks], {writer for _, writer in marks}
