"""Logging in, going on with a refresh token, and changing one's password.

Whoever does not get in learns no more than that: neither whether there is such a user, nor whether he waits.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.auth.jwt import Issuer
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.audit.store import SYSTEM, Entry, record
from dhos_connector_api.px.people import store, token_store, tokens
from dhos_connector_api.px.people.metrics import LOGINS
from dhos_connector_api.px.people.passwords import Passwords
from dhos_connector_api.px.people.token_store import Attempt, Holder
from dhos_connector_api.px.people.tokens import AccessClaims

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token and the refresh token that follows it."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Makes tokens: `signer` signs them, and they hold so long."""

    signer: Issuer
    access_lifetime: timedelta
    refresh_lifetime: timedelta
    passwords: Passwords

    def log_in(
        self, database: Database, username: str, password: str, *, request_id: str | None = None
    ) -> Pair | None:
        """Return tokens for who has that name and password; None for everybody else, after the same time.

        Raises Overloaded.
        """
        with self.passwords.turn():
            with database.transaction() as connection:
                found = token_store.attempt(connection, username, clock.now())
            is_right = self.passwords.fits(found.password_hash if found else None, password)
            renewed = None
            if found is not None and is_right and self.passwords.is_outdated(found.password_hash):
                renewed = self.passwords.hash(password)
        if found is None or not is_right:
            LOGINS.labels("refused").inc()
            with database.transaction() as connection:  # for an unknown user too: it takes its time
                refused(connection, found, request_id=request_id)
            return None
        now = clock.now()
        with database.transaction() as connection:
            generation = token_store.generation_of(connection, found.id)
            if generation is None or generation != found.token_generation:  # changed meanwhile
                return None
            token_store.succeeded(connection, found.id, now)
            if renewed is not None:
                store.renew_hash(connection, found.id, renewed)
            pair = self._begin(connection, found.id, generation, now)
            record(connection, Entry(found.id, "log_in", "user", found.id, found.hospital_id, request_id))
        LOGINS.labels("logged in").inc()
        return pair

    def refresh(self, connection: Connection, refresh: str, *, request_id: str | None = None) -> Pair | None:
        """Return the next tokens for a refresh token; None where it is not valid.

        One that was used before revokes all that followed from its login: somebody has a copy. Let the
        transaction be committed also where nothing is returned.
        """
        now, hash_ = clock.now(), tokens.refresh_hash(refresh)
        holder = token_store.holder_of(connection, hash_)
        if holder is None:
            return None
        generation = token_store.generation_of(connection, holder.user_id)
        if generation is None or not token_store.use(connection, hash_, now):
            if token_store.revoke_family_of_used(connection, hash_, now):
                LOGINS.labels("reused").inc()
                about = (holder.user_id, holder.hospital_id, request_id)
                record(connection, Entry(SYSTEM, "revoke_tokens", "user", *about))
                _log.warning("a refresh token was used again", extra={"user": str(holder.user_id)})
            return None
        return self._next(connection, holder, generation, now)

    def begin(self, connection: Connection, user_id: UUID) -> Pair | None:
        """Return tokens for a user who has just proved who he is; None where he is not active any more."""
        generation = token_store.generation_of(connection, user_id)
        return None if generation is None else self._begin(connection, user_id, generation, clock.now())

    def _begin(self, connection: Connection, user_id: UUID, generation: int, now: datetime) -> Pair:
        return self._next(connection, Holder(user_id, clock.new_uuid(now)), generation, now)

    def _next(self, connection: Connection, holder: Holder, generation: int, now: datetime) -> Pair:
        refresh = tokens.refresh_token(clock.random_bytes(tokens.REFRESH_BYTES))
        expires_at = now + self.refresh_lifetime
        token_store.add(connection, refresh.hash, holder, at=now, expires_at=expires_at)
        claims = AccessClaims(holder.user_id, generation)
        access = tokens.access_token(self.signer, claims, now=now, lifetime=self.access_lifetime)
        return Pair(access, refresh.text)


def refused(connection: Connection, attempt: Attempt | None, *, request_id: str | None) -> None:
    """Store that a user's password was wrong, and whether he has to wait now; of nobody, nothing.

    As with the attempt itself, the disk is not waited for: that would tell whether there is such a user.
    """
    token_store.wait_for_no_disk(connection)
    if attempt is not None:
        about = (attempt.id, attempt.hospital_id, request_id)
        record(connection, Entry(SYSTEM, "refuse_password", "user", *about))
        if attempt.waits:
            record(connection, Entry(SYSTEM, "lock_out", "user", *about))
