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
#: Seconds a key waits to be looked up, while others are.
LONGEST_WAIT = 3.0
Check = Callable[[ConnexionRequest], Awaitable[Any]]


class KeySecurity:
    """Checks API keys: connexion's security handler for every operation with `security: - api_key: []`."""

    def __init__(self, database: Database, now: Callable[[], datetime] = clock.now) -> None:
        self._database = database
        self._now = now
        self._turns = Turns(CONNECTIONS, LONGEST_WAIT)

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
        async with self._turns.one():
            found = await asyncio.to_thread(self._find, hash_of(given[0]))
        if found is None:
            raise TokenRejected("the API key is not known, or no longer")
        call.of_scope(request.scope).key = found
        return {}

    def _find(self, hash_: bytes) -> KnownKey | None:
        with self._database.statements() as connection:
            return keys.find(connection, hash_, at=self._now())
