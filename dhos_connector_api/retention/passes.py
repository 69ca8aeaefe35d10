"""Passes through the tables, piece by piece: what has had its time goes, unless somebody waits for it.

A piece is one transaction. It locks what it is about to remove before it looks who needs it, so that nobody
comes to need it meanwhile: who replays a message locks it too. Where a pass has come to is kept in memory:
after a restart it begins anew, and finds less. What stays is passed by until the next pass.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.access import store as access
from dhos_connector_api.db.removed import Removed
from dhos_connector_api.deliveries import removal as deliveries
from dhos_connector_api.events import removal as events
from dhos_connector_api.messages import old_bodies
from dhos_connector_api.messages import removal as messages
from dhos_connector_api.messages.expected import Expected
from dhos_connector_api.messages.old_bodies import Part
from dhos_connector_api.messages.removal import Entry
from dhos_connector_api.outbox import removal as outbox
from dhos_connector_api.retention import store

log = logging.getLogger(__name__)

#: Rows that a piece looks at; entries of the search index, of which most stay and none is locked.
PIECE, SWEPT = 2_000, 10_000
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Piece:
    """The transaction of one piece: what it works in, when, and from before when things are old.

    `expected` are the events of those messages that somebody has to process.
    """

    connection: Connection
    at: datetime
    before: datetime
    expected: Expected

    def removed(self, table: str, removed: Removed) -> None:
        """Record and log what went, where anything did: numbers and times, and nothing of what it was."""
        if removed.rows:
            store.add(self.connection, table, removed, at=self.at)
            extra = {"table": table, "rows": removed.rows, "oldest": removed.oldest, "newest": removed.newest}
            log.info("removed what has had its time", extra=extra)


#: A pass: does a piece each time it is resumed, in the transaction it is sent.
Walk = Iterator[None]


class Pass:
    """The step of a periodic job that goes through tables, piece by piece, until a pass is at its end.

    step = Pass("message", timedelta(days=90), through_messages, expected(settings))
    while step(connection, clock.now()):  # each in a transaction of its own
        ...
    """

    def __init__(
        self, table: str, kept: timedelta, walk: Callable[["Pass"], Walk], expected: Expected
    ) -> None:
        self._expected = expected
        self._table = table
        self._kept = kept
        self._make = walk
        self._walk: Walk | None = None
        self._piece: Piece | None = None

    @property
    def piece(self) -> Piece:
        """Return the piece that is being done now."""
        if self._piece is None:
            raise RuntimeError("no piece is being done")
        return self._piece

    def __call__(self, connection: Connection, now: datetime) -> bool:
        """Do the next piece; False: the pass is at its end. Where it raises, the next call begins anew."""
        self._piece = Piece(connection, now, now - self._kept, self._expected)
        walk, self._walk = self._walk or self._make(self), None
        if next(walk, self) is not self:
            self._walk = walk
            return True
        store.finish(connection, self._table, at=now)
        return False


def through_messages(this: Pass) -> Walk:
    """Remove messages that nobody waits for and of which there is nothing else, then their search entries."""
    after = _FIRST
    while uuids := messages.page(this.piece.connection, before=this.piece.before, after=after, limit=PIECE):
        _remove_messages(this.piece, list(uuids))
        after = uuids[-1]
        yield
    entry: Entry | None = Entry()
    while entry is not None:
        piece = this.piece
        rows, entry = messages.sweep_entries(piece.connection, before=piece.before, after=entry, limit=SWEPT)
        piece.removed("message_identifier", Removed(rows))
        yield
    merges = messages.sweep_merges(this.piece.connection, before=this.piece.before)
    this.piece.removed("identifier_merge", Removed(merges))


def _remove_messages(piece: Piece, uuids: list[UUID]) -> None:
    connection = piece.connection
    done = messages.lock_done(connection, uuids, before=piece.before, expected=piece.expected)
    held = outbox.kept_of(connection, done) | events.kept_of(connection, done)
    held |= deliveries.kept_of(connection, done)
    gone = [each for each in done if each not in held]
    if gone:
        piece.removed("message", messages.remove(connection, gone))


def through_deliveries(this: Pass) -> Walk:
    """Remove deliveries at their end, with their attempts."""
    for state in deliveries.ENDED:
        after = _FIRST
        while uuids := deliveries.page(
            this.piece.connection, state, before=this.piece.before, after=after, limit=PIECE
        ):
            piece = this.piece
            removed = deliveries.remove(piece.connection, state, uuids, before=piece.before)
            piece.removed("delivery", removed)
            after = uuids[-1]
            yield


def through_events(this: Pass) -> Walk:
    """Remove events that consumers have applied, or that meant nothing, of stays that are over."""
    after = _FIRST
    while ids := events.page(this.piece.connection, before=this.piece.before, after=after, limit=PIECE):
        _remove_events(this.piece, list(ids))
        after = ids[-1]
        yield


def _remove_events(piece: Piece, ids: list[UUID]) -> None:
    connection = piece.connection
    ended = events.lock_ended(connection, ids, before=piece.before)
    told = set(ended.values())
    held = outbox.unpublished_of(connection, told) | messages.waiting(connection, told, piece.expected)
    gone = [each for each, message in ended.items() if message not in held]
    if gone:
        piece.removed("integration_event", events.remove(connection, gone))


def through_bodies(this: Pass) -> Walk:
    """Drop the months that are over and needed by nobody; of others remove what nobody needs, row by row."""
    for part in old_bodies.parts(this.piece.connection, before=this.piece.before):
        if part.end is not None and _drop(this.piece, part):
            yield
            continue
        after = _FIRST
        while uuids := old_bodies.page(
            this.piece.connection, part, after=after, limit=PIECE, before=this.piece.before
        ):
            _remove_bodies(this.piece, part, list(uuids))
            after = uuids[-1]
            yield


def _drop(piece: Piece, part: Part) -> bool:
    """Drop the month, or leave it for the next pass where it is in use; False: something in it is needed."""
    if _is_needed(piece, part):
        return False
    try:
        removed = old_bodies.drop(piece.connection, part, lambda: _is_needed(piece, part))
    except old_bodies.InUse:
        log.info("a month of bodies is in use, and dropped later", extra={"partition": part.name})
        return True
    if removed is None:
        return False
    log.info("dropped a month of bodies", extra={"partition": part.name})
    piece.removed("message_body", removed)
    return True


def _is_needed(piece: Piece, part: Part) -> bool:
    connection, (first, last) = piece.connection, part.uuids
    return (
        outbox.is_any_unpublished(connection, first, last)
        or deliveries.is_any_open(connection, first, last)
        or messages.is_any_unprocessed(connection, first, last, piece.expected)
    )


def _remove_bodies(piece: Piece, part: Part, uuids: list[UUID]) -> None:
    connection = piece.connection
    held = outbox.unpublished_of(connection, uuids) | deliveries.open_of(connection, uuids)
    held |= messages.waiting(connection, uuids, piece.expected)
    gone = [each for each in uuids if each not in held]
    if gone:
        piece.removed("message_body", old_bodies.remove(connection, part, gone, before=piece.before))


def through_keys(this: Pass) -> Walk:
    """Remove API keys that were revoked, or have ended."""
    piece = this.piece
    while (removed := access.remove_ended(piece.connection, before=piece.before, limit=PIECE)).rows:
        piece.removed("api_key", removed)
        yield
        piece = this.piece
