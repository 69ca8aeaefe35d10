"""What is published next: what is new, and what failed before and is due, in turn.

New rows are looked for by their position, and by a walk through all streams, so that whatever became
visible late or waits again is found as well. Small rows are published together, a large one alone.
"""

import logging
from collections.abc import Callable, Sequence

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from dhos_connector_api.actions.envelope import Outcome
from dhos_connector_api.outbox import statements
from dhos_connector_api.outbox.backoff import Backoff
from dhos_connector_api.outbox.doubts import Doubts
from dhos_connector_api.outbox.metrics import HELD
from dhos_connector_api.outbox.room import Room
from dhos_connector_api.outbox.rotation import Rotation, reached
from dhos_connector_api.outbox.rows import START, Survey, WaitingRow
from dhos_connector_api.outbox.settlement import REFUSALS, Settlement
from dhos_connector_api.outbox.window import Window

log = logging.getLogger(__name__)

#: How many streams one step passes by in search of what the newest rows do not show; and how much of the
#: time such steps may take that find nothing.
_WALK = 500
_FRUITLESS_SHARE = 0.05
_QUERY_CANCELED = "57014"  # it took longer than statement_timeout


class Selection:
    """Gives one batch after the other; `learn` tells it what became of each. `monotonic` gives seconds.

    `room` knows, or does not, whether a queue that refused is still full.
    """

    def __init__(self, window: Window, monotonic: Callable[[], float], room: Room) -> None:
        self._window = window
        self._monotonic = monotonic
        self._room = room
        self._backoff, self._doubts = Backoff(), Doubts()
        self._rotation, self._rotation_of_large = Rotation(), Rotation()
        self._fresh_is_first = self._large_is_first = self._more = False
        self._seen = 0
        self._walk_not_before = 0.0

    @property
    def has_more(self) -> bool:
        """Whether there is another batch at once, as far as the last one could tell."""
        now = self._monotonic()
        return self._more or self._backoff.due(now) is not None or self._doubts.due(now) is not None

    def begin(self, connection: Connection) -> None:
        """Select on this session from now on; whatever waits is new."""
        self._connection = connection
        self._seen = 0

    def next(self) -> list[WaitingRow]:
        """Return rows that are new, or one row of what is held and due, in turn; or what of them there is.

        Where PostgreSQL does not give a batch in time, return nothing, and ask for half of it next time.
        """
        self._fresh_is_first = not self._fresh_is_first
        try:
            found = statements.survey(
                self._connection, seen=self._seen, rows=self._window.rows, held=self._held()
            )
            self._backoff.keep(found.oldest)
            if self._fresh_is_first:
                return self._fresh(found) or self._due(found)
            self._more = bool(found.fresh) or found.left
            return self._due(found) or self._fresh(found)
        except (psycopg.Error, DBAPIError) as error:
            if getattr(getattr(error, "orig", error), "sqlstate", None) != _QUERY_CANCELED:
                raise
        self._window.halve()
        self._more = False
        log.warning("a batch could not be read in time", extra={"next_batch_rows": self._window.rows})
        return []

    def _held(self) -> list[str]:
        return self._backoff.unroutable + self._backoff.refused

    def _fresh(self, found: Survey) -> list[WaitingRow]:
        """Return rows of senders with new rows, and of those whom the walk comes by where there is more.

        Small rows together, or a large one alone, in turn: each kind has its own walk.
        """
        self._large_is_first = not self._large_is_first
        rotation = self._rotation_of_large if self._large_is_first else self._rotation
        held = self._held()
        older = [sender for key, sender in found.oldest.items() if key not in held] if found.left else []
        fresh = [each for each in (*found.fresh, *older) if each not in self._doubts]
        began = self._monotonic()
        walks = found.left and began >= self._walk_not_before
        walk = statements.walk(self._connection, rotation.after, streams=_WALK) if walks else []
        skipped = {each for each in walk if each[1] in held or each[0] in self._doubts}
        walked = [stream[0] for stream in walk if stream not in skipped]
        chosen = rotation.choose(fresh, walked, most=self._window.rows)
        taken = statements.take(
            self._connection,
            chosen,
            rows=self._window.rows,
            most_bytes=self._window.bytes,
            large_first=self._large_is_first,
            held=self._backoff.unroutable,
            barriers=self._backoff.refused,
        )
        self._seen = max(self._seen, found.newest)
        saw_all = not found.left or (walks and rotation.after == START and len(walk) < _WALK)
        had_turn = reached(chosen, {row.stream[0] for row in taken.rows}, cut=taken.cut)
        rotation.move(walk, skipped=skipped, reached=had_turn, ended=len(walk) < _WALK)
        self._more = bool(taken.rows) and (taken.more or not saw_all)
        if taken.rows:
            self._window.grow()
        elif walks:
            ended = self._monotonic()
            self._walk_not_before = ended + (ended - began) / _FRUITLESS_SHARE
        return taken.rows

    def _due(self, found: Survey) -> list[WaitingRow]:
        """Return one row of a routing key, or of a sender, that is held and due."""
        now = self._monotonic()
        key = self._backoff.due(now)
        if key is not None:
            rows = self._row_of_key(key, found, now)
            if not rows:
                self._backoff.put_off(key, now=now)
            return rows
        sender = self._doubts.due(now)
        if sender is None:
            return []
        rows = self._next_of(sender, self._backoff.refused)
        if not rows:
            self._doubts.forget(sender)
        return rows

    def _row_of_key(self, key: str, found: Survey, now: float) -> list[WaitingRow]:
        """Return the row that tells whether a routing key is still to be held."""
        barriers = [each for each in self._backoff.refused if each != key]
        if len(barriers) < len(self._backoff.refused) and self._room.is_full(key):
            self._backoff.wait_for_room(key, now=now)
            return []
        least = statements.least_tried(self._connection, key, barriers=barriers)
        if key not in self._backoff.refused:
            if least is None or least[0] in self._doubts:
                return []
            return statements.first(self._connection, (least[0], key))
        if least is None or (least[1] and self._backoff.only_untried(key, now=now)):
            return []
        return self._next_of(least[0], barriers)

    def _next_of(self, sender: str, barriers: Sequence[str]) -> list[WaitingRow]:
        return statements.take(
            self._connection,
            [sender],
            rows=1,
            most_bytes=self._window.bytes,
            held=self._backoff.unroutable,
            barriers=barriers,
        ).rows

    def learn(self, rows: Sequence[WaitingRow], outcomes: Sequence[Outcome], result: Settlement) -> None:
        """Hold back what failed, and let go what was held and went through."""
        now = self._monotonic()
        for key, outcome in result.keys.items():
            if outcome is Outcome.RETURNED:
                self._backoff.returned(key, now=now)
            elif outcome in REFUSALS:
                self._backoff.refuse(key, now=now)
            elif self._backoff.confirmed(key):
                self._window.begin_again()
        self._tell_of_refused(rows, outcomes)
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome is not Outcome.UNKNOWN:
                self._doubts.answered(row.stream[0])
            elif row.stream[1] not in result.keys:
                self._backoff.put_off(row.stream[1], now=now)
        for sender, unknown in result.doubtful.items():
            self._doubts.failed(sender, rows=unknown, now=now)
        HELD.labels(why="unroutable").set(len(self._backoff.unroutable))
        HELD.labels(why="refused").set(len(self._backoff.refused))
        HELD.labels(why="in doubt").set(len(self._doubts))

    def _tell_of_refused(self, rows: Sequence[WaitingRow], outcomes: Sequence[Outcome]) -> None:
        """Tell of each routing key that was refused, and of its first row: it is the next to be tried."""
        refused: dict[str, int] = {}
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome is Outcome.REFUSED:
                refused.setdefault(row.stream[1], len(row.envelope.body))
        for key, body in refused.items():
            self._room.refused(key, body)
