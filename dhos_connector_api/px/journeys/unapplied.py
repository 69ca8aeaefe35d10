"""Evidence that is in no journey, by its encounter's number: it waits, or is ignored. Reads alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text


class Unapplied(NamedTuple):
    """A piece that no journey has: when it happened, what told of it, its state, and why (`findings`).

    Nothing of the patient is in it.
    """

    occurred_at: datetime
    code: str
    source_code: str | None
    source: str
    state: str
    reason: str


_NUMBERED = text(
    "SELECT occurred_at, code, source_code, source, state, coalesce(reason, 'no_journey') AS reason"
    " FROM evidence WHERE encounter_id = :encounter AND state <> 'applied' ORDER BY occurred_at, event_uuid"
)


def numbered(connection: Connection, encounter_id: str) -> Sequence[Unapplied]:
    """Return what no journey has of encounters with that number, at whichever hospital, in order of time."""
    return [Unapplied(*row) for row in connection.execute(_NUMBERED, {"encounter": encounter_id})]
