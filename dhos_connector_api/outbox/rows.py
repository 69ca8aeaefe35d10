"""Waiting rows as the relay has them, and what it is told of those it does not have (pure)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dhos_connector_api.actions.envelope import Envelope

#: (sender, routing key). Rows of one sender are published in the order of their position.
Stream = tuple[str, str]
#: Where a walk through all streams begins: before the first.
START: Stream = ("", "")
#: A row as it was selected: its id, and the transaction that wrote it last (xmin).
Mark = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A row to publish. `created` is the time its message was committed, about; `mark` is for settling."""

    stream: Stream
    envelope: Envelope
    created: datetime
    mark: Mark


@dataclass(frozen=True, slots=True)
class Survey:
    """What waits: the sender of the oldest row under each routing key, and the senders of new rows.

    `fresh` are those of rows behind the `seen` that was given, under keys that are not held, newest first;
    `newest` is the last position among them. `left`: under such a key there may be more, which is older.
    """

    oldest: dict[str, str]
    fresh: list[str]
    newest: int
    left: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows to publish, in the order of their position.

    `cut`: some were left out, so that not every sender may have had its turn. `more`: the senders have, or
    may have, other rows.
    """

    rows: list[WaitingRow]
    cut: bool
    more: bool
