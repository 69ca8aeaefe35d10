"""Authorisation by an API key (`X-API-Key`) that is valid now.

Stands in for connexion's own apiKey handler (`security_map`). The key is looked up at every request,
in a thread, so that the event loop does not wait and revoking works at once. Its database should have
connections of its own: a key is looked up before a request has a thread, while every thread's may be
in use.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from connexion.lifecycle import ConnexionRequest
from connexion.security import NO_VALUE

from dhos_connector_api import clock
from dhos_connector_api.access import store as keys
from dhos_connector_api.access.store import KnownKey
from dhos_connector_api.auth.api_keys import hash_of
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import TokenRejected
from dhos_connector_api.http import call
from dhos_connector_api.http.turns import Turns

HEADER = b"x-api-key"
#: Database connections for looking keys up, beside one for each thread of a web process.
CONNECTIONS = 2
#: Seconds a key waits to be looked up, while others are; and how many keys wait that were not good lately.
LONGEST_WAIT, MOST_WAITING = 3.0, 100
#: Keys that are remembered to have been good.
_REMEMBERED = 1000
Check = Callable[[ConnexionRequest], Awaitable[Any]]


class KeySecurity:
    """Checks API keys: connexion's security handler for every operation with `security: - api_key: []`."""

    def __init__(self, database: Database, now: Callable[[], datetime] = clock.now) -> None:
        self._database = database
        self._now = now
        # Keys that were good lately wait among themselves: nobody who invents keys holds them up. They are
        # looked up as all others are, for they may have been revoked.
        self._turns, self._turns_of_good = Turns(1, LONGEST_WAIT, MOST_WAITING), Turns(1, LONGEST_WAIT)
        self._good: dict[bytes, None] = {}

    def get_fn(self, _scheme: dict[str, Any], _scopes: Sequence[str]) -> Check:
        """Return the check of one operation. Called by connexion at start.

        It raises TokenRejected for a bad key, StorageUnavailable while keys cannot be looked up, and
        Overloaded where too many wait to be.
        """
        return self._check

    async def _check(self, request: ConnexionRequest) -> Any:
        given = [value for name, value in request.scope["headers"] if name == HEADER]
        if not given:
            return NO_VALUE
        if len(given) > 1:
            raise TokenRejected("the request has more than one API key")
        hash_ = hash_of(given[0])
        async with (self._turns_of_good if hash_ in self._good else self._turns).one():
            found = await asyncio.to_thread(self._find, hash_)
        self._good.pop(hash_, None)
        if found is None:
            raise TokenRejected("the API key is not known, or no longer")
        self._good[hash_] = None  # the one that is new or was used last is forgotten last
        if len(self._good) > _REMEMBERED:
            del self._good[next(iter(self._good))]
        call.of_scope(request.scope).key = found
        return {}

    def _find(self, hash_: bytes) -> KnownKey | None:
        with self._database.statements() as connection:
            return keys.find(connection, hash_, at=self._now())
