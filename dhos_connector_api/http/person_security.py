"""Authorisation by a person's token: who he is, as the database has him now, and whether his role allows it.

Connexion's security handler (`security_map`) for every operation with `security: - person: []`, whose
`x-right` says which right it takes. The token alone says nothing of rights: the person is read at every
request, in a thread, so that a role that is taken away is away at once. Where an operation takes other
credentials too, what is no person's token is theirs to judge.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from connexion.lifecycle import ConnexionRequest
from connexion.security import NO_VALUE

from dhos_connector_api.errors import NotAvailableHere, TokenRejected, UnknownIssuer
from dhos_connector_api.http import call
from dhos_connector_api.http.security import bearer
from dhos_connector_api.http.turns import Turns
from dhos_connector_api.spec.document import operations

#: Database connections for looking persons up, and as many are looked up at once in a web process.
CONNECTIONS = 2
#: Seconds a request waits to have its person looked up.
LONGEST_WAIT = 3.0
Check = Callable[[ConnexionRequest], Awaitable[Any]]


class Persons(Protocol):
    """What is known of persons and their tokens."""

    @property
    def is_set_up(self) -> bool:
        """Return whether there are persons' tokens in this installation."""

    def claims(self, token: str) -> Any:
        """Return what a token says. Raises UnknownIssuer, TokenRejected."""

    def find(self, claims: Any) -> Any:
        """Return the person, who has an `id`. Raises TokenRejected where the token is void."""

    def allow(self, person: Any, right: str) -> None:
        """Raise RightMissing where that person does not have that right."""


class PersonSecurity:
    """Checks persons' tokens for the operations of `document`."""

    def __init__(self, persons: Persons, document: Mapping[str, Any]) -> None:
        self._persons = persons
        found = list(operations(dict(document)))
        self._rights = {each.id: each.right for each in found if each.right is not None}
        self._alone = frozenset(each.id for each in found if each.takes_persons_alone)
        self._turns = Turns(CONNECTIONS, LONGEST_WAIT)

    def get_fn(self, _scheme: dict[str, Any], _scopes: Sequence[str]) -> Check:
        """Return the check of one operation. Called by connexion at start.

        It raises TokenRejected, RightMissing, StorageUnavailable, Overloaded; NotAvailableHere where an
        operation takes persons alone, and their tokens are not set up.
        """
        return self._check

    async def _check(self, request: ConnexionRequest) -> Any:
        operation_id = call.operation_id(request.scope) or ""
        is_alone = operation_id in self._alone
        if not self._persons.is_set_up:
            if is_alone:
                raise NotAvailableHere("persons cannot log in here: PX_HS_KEY is not set")
            return NO_VALUE
        try:
            claims = self._persons.claims(bearer(request.scope["headers"]))
        except UnknownIssuer:
            return _not_mine(is_alone)
        except TokenRejected:
            if is_alone or _has_bearer(request):
                raise
            return NO_VALUE
        async with self._turns.one():
            person = await asyncio.to_thread(self._persons.find, claims)
        right = self._rights[operation_id]
        self._persons.allow(person, right)
        here = call.of_scope(request.scope)
        here.person, here.right = person, right
        return {}


def _not_mine(is_alone: bool) -> Any:
    if is_alone:
        raise TokenRejected("the token is not a person's")
    return NO_VALUE


def _has_bearer(request: ConnexionRequest) -> bool:
    return any(name == b"authorization" for name, _ in request.scope["headers"])
