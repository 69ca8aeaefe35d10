"""Authorisation of each operation by token: the token, its scopes, and the issuers the operation allows.

Stands in for connexion's own OAuth handler (`security_map`), which would ask the system for each
request how its callback wants to be called, and knows nothing of issuers. A bad token is 401; a
valid one that lacks a scope, or whose issuer is not in `x-allowed-issuers`, is 403.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connexion.lifecycle import ConnexionRequest

from dhos_connector_api import clock
from dhos_connector_api.auth.jwt import Claims, Issuer, verify
from dhos_connector_api.errors import IssuerNotAllowed, ScopeMissing, TokenRejected
from dhos_connector_api.http import call

#: Valid tokens kept in memory; a sender needs one at a time.
MOST_KNOWN_TOKENS = 1000

#: A signed token (RFC 7515 section 3.1): three parts in base64url, without padding.
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

Check = Callable[[ConnexionRequest], dict[str, Any]]


class TokenSecurity:
    """Checks tokens: connexion's security handler for every operation with `security: - token: [...]`."""

    def __init__(
        self,
        issuers: Iterable[Issuer],
        audience: str,
        allowed_issuers: Mapping[str, frozenset[str]],
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._issuers = tuple(issuers)
        self._audience = audience
        self._allowed = allowed_issuers  # by operationId
        self._now = now
        self._known: dict[str, Claims] = {}

    def get_fn(self, _scheme: dict[str, Any], required_scopes: Sequence[str]) -> Check:
        """Return the check of one operation. Called by connexion at start."""
        required = frozenset(required_scopes)

        def check(request: ConnexionRequest) -> dict[str, Any]:
            claims = self._verified(bearer(request.scope["headers"]))
            self._allow(claims, required, call.operation_id(request.scope))
            call.of_scope(request.scope).claims = claims
            return {}

        return check

    def _verified(self, token: str) -> Claims:
        """Return the claims of a token. A sender uses one for minutes, so it is checked once and remembered
        until it expires."""
        now = self._now()
        claims = self._known.get(token)
        if claims is None or now.timestamp() >= claims.refused_from:
            claims = verify(token, self._issuers, self._audience, now)
            if len(self._known) >= MOST_KNOWN_TOKENS:
                self._known.clear()
            self._known[token] = claims
        return claims

    def _allow(self, claims: Claims, required: frozenset[str], operation_id: str | None) -> None:
        if operation_id is None or claims.issuer not in self._allowed[operation_id]:
            raise IssuerNotAllowed("tokens of this issuer do not allow this operation")
        missing = required - claims.scopes
        if missing:
            raise ScopeMissing(f"the token lacks the scope {' '.join(sorted(missing))}")


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the token in `Authorization: Bearer ...` (RFC 6750 section 2.1)."""
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        raise TokenRejected("the request needs a token: Authorization: Bearer ...")
    scheme, _, token = given[0].decode("latin-1").partition(" ")
    token = token.strip(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise TokenRejected("the Authorization header holds no bearer token")
    return token
