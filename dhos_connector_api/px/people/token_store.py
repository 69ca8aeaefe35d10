"""Refresh tokens and attempts to log in, at rest. Nothing here commits."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.px.people.lockout import PAUSES

#: An attempt counts as failed before the password is looked at: however many try at once, none is for free.
_ATTEMPT = """
UPDATE px_user SET failed_logins = failed_logins + 1,
    locked_until = :at + make_interval(secs => (CAST(:pauses AS float8[]))[
        least(failed_logins + 1, cardinality(CAST(:pauses AS float8[])))])
WHERE {whom} AND is_active AND (locked_until IS NULL OR locked_until <= :at)
RETURNING id, password_hash, token_generation, hospital_id, locked_until > :at AS waits
"""
_BY_NAME, _BY_ID = _ATTEMPT.format(whom="lower(username) = lower(:who)"), _ATTEMPT.format(whom="id = :who")


@dataclass(frozen=True, slots=True)
class Holder:
    """The user a refresh token belongs to, and its family."""

    user_id: UUID
    family: UUID
    hospital_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A user who tries to log in. `waits`: if this was wrong too, he has to wait before the next."""

    id: UUID
    password_hash: str
    token_generation: int
    hospital_id: UUID | None
    waits: bool


def attempt(connection: Connection, who: str | UUID, at: datetime) -> Attempt | None:
    """Count a failed attempt of a user, by name or id, and return who he is; None: unknown, or he waits.

    It is not waited for until the disk has it: that would tell by the time whether there is such a user.
    """
    wait_for_no_disk(connection)
    query = _BY_ID if isinstance(who, UUID) else _BY_NAME
    values = {"who": who, "at": at, "pauses": list(PAUSES)}
    row = connection.execute(text(query), values).one_or_none()
    return None if row is None else Attempt(*row)


def wait_for_no_disk(connection: Connection) -> None:
    """Make this transaction commit without waiting until the disk has it."""
    connection.execute(text("SET LOCAL synchronous_commit = off"))


def succeeded(connection: Connection, user_id: UUID, at: datetime) -> None:
    """Forget the failed attempts of a user, who has logged in."""
    query = "UPDATE px_user SET failed_logins = 0, locked_until = NULL, last_login_at = :at WHERE id = :id"
    connection.execute(text(query), {"id": user_id, "at": at})


def unlock(connection: Connection, user_id: UUID) -> None:
    """Forget the failed attempts of a user."""
    query = "UPDATE px_user SET failed_logins = 0, locked_until = NULL WHERE id = :id"
    connection.execute(text(query), {"id": user_id})


def add(connection: Connection, hash_: bytes, holder: Holder, *, at: datetime, expires_at: datetime) -> None:
    """Store a new refresh token."""
    connection.execute(
        text(
            "INSERT INTO refresh_token (hash, user_id, family, created_at, expires_at)"
            " VALUES (:hash, :user, :family, :at, :expires_at)"
        ),
        {"hash": hash_, "user": holder.user_id, "family": holder.family, "at": at, "expires_at": expires_at},
    )


def holder_of(connection: Connection, hash_: bytes) -> Holder | None:
    """Return whose a refresh token is; None: it is not known."""
    query = text(
        "SELECT t.user_id, t.family, u.hospital_id FROM refresh_token t JOIN px_user u ON u.id = t.user_id"
        " WHERE t.hash = :hash"
    )
    row = connection.execute(query, {"hash": hash_}).one_or_none()
    return None if row is None else Holder(*row)


def generation_of(connection: Connection, user_id: UUID) -> int | None:
    """Return the generation of a user's tokens, and let nobody else change it meanwhile; None: inactive."""
    query = text("SELECT is_active, token_generation FROM px_user WHERE id = :id FOR NO KEY UPDATE")
    row = connection.execute(query, {"id": user_id}).one()
    return row.token_generation if row.is_active else None


def use(connection: Connection, hash_: bytes, at: datetime) -> bool:
    """Mark a refresh token as used, and return whether it could be used: it was valid, and never used."""
    query = text(
        "UPDATE refresh_token SET used_at = :at WHERE hash = :hash AND used_at IS NULL"
        " AND revoked_at IS NULL AND expires_at > :at"
    )
    return connection.execute(query, {"hash": hash_, "at": at}).rowcount == 1


def revoke_family_of_used(connection: Connection, hash_: bytes, at: datetime) -> bool:
    """Revoke all tokens that follow from the login of one that was used; return whether there were any."""
    query = text(
        "UPDATE refresh_token SET revoked_at = :at WHERE revoked_at IS NULL"
        " AND family = (SELECT family FROM refresh_token WHERE hash = :hash AND used_at IS NOT NULL)"
    )
    return connection.execute(query, {"hash": hash_, "at": at}).rowcount > 0


def revoke_all(connection: Connection, user_id: UUID, at: datetime) -> None:
    """Revoke all refresh tokens of a user."""
    query = "UPDATE refresh_token SET revoked_at = :at WHERE user_id = :id AND revoked_at IS NULL"
    connection.execute(text(query), {"id": user_id, "at": at})


def remove_expired(connection: Connection, *, before: datetime, limit: int) -> int:
    """Remove up to `limit` tokens that expired before that time; return how many."""
    query = (
        "DELETE FROM refresh_token WHERE hash IN"
        " (SELECT hash FROM refresh_token WHERE expires_at < :before LIMIT :limit)"
    )
    return connection.execute(text(query), {"before": before, "limit": limit}).rowcount
