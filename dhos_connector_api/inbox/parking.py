"""Envelopes that could not be applied: tried again for a while, then parked. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.inbox.letter import Letter

#: Seconds until it is tried the second, third, fourth and fifth time; then it is parked.
PAUSES = (1, 5, 30, 120)
_PUT = text(
    "INSERT INTO parked (consumer, message_id, routing_key, correlation_id, body, error, tries, arrived_at,"
    " tried_at, next_at)"
    " VALUES (:consumer, :message_id, :routing_key, :correlation_id, :body, :error, 1, :at, :at, :next_at)"
    " ON CONFLICT DO NOTHING"
)
_DUE = text(
    "SELECT message_id, routing_key, correlation_id, body, tries FROM parked"
    " WHERE consumer = :consumer AND next_at <= :at ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED"
)
_FAILED = text(
    "UPDATE parked SET tries = tries + 1, error = :error, tried_at = :at, next_at = :next_at"
    " WHERE consumer = :consumer AND message_id = :message_id"
)
_DONE = text("DELETE FROM parked WHERE consumer = :consumer AND message_id = :message_id")
_LISTED = text(
    "SELECT consumer, message_id, routing_key, correlation_id, error, tries, arrived_at, tried_at, next_at,"
    " length(body) AS size FROM parked ORDER BY arrived_at LIMIT :limit"
)
_COUNTS = text(
    "SELECT consumer, count(*) FILTER (WHERE next_at IS NULL) AS parked,"
    " count(next_at) AS trying, min(arrived_at) FILTER (WHERE next_at IS NULL) AS oldest"
    " FROM parked GROUP BY consumer ORDER BY consumer"
)


@dataclass(frozen=True, slots=True)
class Due:
    """An envelope to be tried again, and how often it was tried."""

    letter: Letter
    tries: int


def put(
    connection: Connection, consumer: str, letter: Letter, *, error: str, at: datetime, final: bool
) -> None:
    """Keep an envelope that was tried in vain for the first time; `final`: it is of no use to try again.

    `error` is a text of our own.
    """
    values = {
        "consumer": consumer,
        "message_id": letter.id,
        "routing_key": _kept(letter.routing_key),
        "correlation_id": letter.correlation_id and _kept(letter.correlation_id),
        "body": letter.body,
        "error": error,
        "at": at,
        "next_at": None if final else _next(at, 1),
    }
    connection.execute(_PUT, values)


def take_due(connection: Connection, consumer: str, at: datetime) -> Due | None:
    """Return the one that is due for longest, locked; None: none is due that nobody else tries."""
    row = connection.execute(_DUE, {"consumer": consumer, "at": at}).one_or_none()
    if row is None:
        return None
    letter = Letter(str(row.message_id), row.routing_key, row.correlation_id, bytes(row.body))
    return Due(letter, row.tries)


def failed(connection: Connection, consumer: str, due: Due, *, error: str, at: datetime, final: bool) -> None:
    """Note that it was tried in vain once more; after the last time it is parked."""
    next_at = None if final else _next(at, due.tries + 1)
    values = {"consumer": consumer, "message_id": due.letter.id, "error": error, "at": at, "next_at": next_at}
    connection.execute(_FAILED, values)


def done(connection: Connection, consumer: str, message_id: UUID) -> None:
    """Forget an envelope that is applied now."""
    connection.execute(_DONE, {"consumer": consumer, "message_id": message_id})


def retry(connection: Connection, ids: Sequence[UUID] | None, at: datetime) -> list[UUID]:
    """Make these envelopes (None: all that are parked) due again, from the first try; return which."""
    changed = connection.execute(
        text(
            "UPDATE parked SET next_at = :at, tries = 0 WHERE CASE WHEN CAST(:ids AS uuid[]) IS NULL"
            " THEN next_at IS NULL ELSE message_id = ANY(CAST(:ids AS uuid[])) END RETURNING message_id"
        ),
        {"ids": None if ids is None else list(ids), "at": at},
    )
    return list(changed.scalars())


def listed(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return what waits here, oldest first, without the bodies."""
    return [dict(row) for row in connection.execute(_LISTED, {"limit": limit}).mappings()]


def counts(connection: Connection) -> list[dict[str, Any]]:
    """Return for each consumer how many are parked, since when, and how many are tried again."""
    return [dict(row) for row in connection.execute(_COUNTS).mappings()]


def prune(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete up to `limit` envelopes that arrived before that time, parked or not; return how many."""
    return connection.execute(
        text(
            "DELETE FROM parked WHERE (consumer, message_id) IN (SELECT consumer, message_id FROM parked"
            " WHERE arrived_at < :before ORDER BY arrived_at LIMIT :limit)"
        ),
        {"before": before, "limit": limit},
    ).rowcount


def _kept(told: str) -> str:
    """A text of AMQP's as it can be stored: whoever publishes may write anything there."""
    return told.replace("\0", "").encode("utf-8", "replace").decode()


def _next(at: datetime, tries: int) -> datetime | None:
    return at + timedelta(seconds=PAUSES[tries - 1]) if tries <= len(PAUSES) else None
