"""Requests that may be sent again under an Idempotency-Key. Nothing here commits.

The insert decides who is first. A short request claims its key, does its work and leaves its answer in
one transaction: whoever comes second waits for it and reads that answer. A long one claims, commits,
works, and answers at the end; until then its key is running, and if its process dies the claim can be
taken over after a while. A key is forgotten after KEPT.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.errors import Conflict, KeyReused

KEPT = timedelta(hours=24)
#: A request that has not answered for so long is not running any more.
RUNNING = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Request:
    """One request under a key. `key` is SHA-256 of its owner, operation and key, `hash` of the body."""

    key: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the first request."""

    status: int
    body: bytes


_CLAIM = text("""
INSERT INTO idempotency_key AS held (key, claim, request_hash, claimed_at, running_until)
VALUES (:key, :claim, :hash, :at, :until)
ON CONFLICT (key) DO UPDATE
    SET claim = CASE WHEN held.claimed_at < :forgotten THEN excluded.claim ELSE held.claim END,
        claimed_at = CASE WHEN held.claimed_at < :forgotten THEN excluded.claimed_at ELSE held.claimed_at END,
        request_hash = excluded.request_hash, running_until = excluded.running_until, status = NULL,
        answer = NULL
    WHERE held.claimed_at < :forgotten
        OR (held.running_until < :at AND held.request_hash = excluded.request_hash)
RETURNING claim
""")
_HELD = text("SELECT request_hash, status, answer FROM idempotency_key WHERE key = :key")


def claim(connection: Connection, request: Request, claim_id: UUID, *, at: datetime) -> UUID | Answer:
    """Take the key, and return the claim to work under (an earlier one of the same request that died, or
    `claim_id`), or what the first request was answered.

    Raises KeyReused when the key belongs to another request, Conflict while the first is running.
    """
    values = {
        "key": request.key,
        "claim": claim_id,
        "hash": request.hash,
        "at": at,
        "until": at + RUNNING,
        "forgotten": at - KEPT,
    }
    taken: UUID | None = connection.execute(_CLAIM, values).scalar_one_or_none()
    if taken is not None:
        return taken
    held = connection.execute(_HELD, {"key": request.key}).one_or_none()
    if held is not None and bytes(held.request_hash) != request.hash:
        raise KeyReused("the Idempotency-Key was used for another request")
    if held is None or held.answer is None:
        raise Conflict("the first request with this Idempotency-Key is still running")
    return Answer(held.status, bytes(held.answer))


def answer(connection: Connection, request: Request, given: Answer) -> None:
    """Store what the request under a claim is answered."""
    connection.execute(
        text(
            "UPDATE idempotency_key SET running_until = NULL, status = :status, answer = :answer"
            " WHERE key = :key"
        ),
        {"key": request.key, "status": given.status, "answer": given.body},
    )


def release(connection: Connection, request: Request, *, at: datetime) -> None:
    """Give up the claim of an attempt that has failed: the same request may try again at once."""
    connection.execute(
        text("UPDATE idempotency_key SET running_until = :at WHERE key = :key AND running_until IS NOT NULL"),
        {"key": request.key, "at": at - timedelta(microseconds=1)},
    )


def prune(connection: Connection, *, at: datetime, limit: int) -> int:
    """Delete up to `limit` keys that are older than KEPT; return how many."""
    return connection.execute(
        text(
            "DELETE FROM idempotency_key WHERE key = ANY(ARRAY("
            "SELECT key FROM idempotency_key WHERE claimed_at < :before ORDER BY claimed_at LIMIT :limit))"
            " AND claimed_at < :before"
        ),
        {"before": at - KEPT, "limit": limit},
    ).rowcount
