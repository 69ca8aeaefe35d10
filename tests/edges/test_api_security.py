"""Tokens that are remembered, and keys that rotate."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from connexion.lifecycle import ConnexionRequest

from dhos_connector_api.app.tokens import issuers_of
from dhos_connector_api.errors import TokenRejected
from dhos_connector_api.http import call
from dhos_connector_api.http.security import MOST_KNOWN_TOKENS, TokenSecurity
from tests.builders.api import READ, api, ask, claims, internal, signed
from tests.builders.rows import INTERNAL_KEY, ISSUER, settings

PATH = "/dhos/v1/message/search/4711"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time


def request(token: str) -> ConnexionRequest:
    scope: dict[str, Any] = {
        "type": "http",
        "headers": [(b"authorization", f"Bearer {token}".encode())],
        "extensions": {},
    }
    call.begin(scope, call.Call("request-1"))
    scope["extensions"]["connexion_routing"] = {"operation_id": "module.function"}
    return ConnexionRequest(scope)


def test_a_token_that_was_taken_once_still_expires() -> None:
    now = Clock()
    security = TokenSecurity(
        issuers_of(settings()), ISSUER, {"module.function": frozenset({"internal"})}, now
    )
    check = security.get_fn({}, [READ])
    token = internal(READ, exp=int(now.time.timestamp()) + 60)
    check(request(token))
    now.time += timedelta(seconds=89)
    check(request(token))
    now.time += timedelta(seconds=1)
    with pytest.raises(TokenRejected):
        check(request(token))


def test_remembered_tokens_are_bounded() -> None:
    security = TokenSecurity(issuers_of(settings()), ISSUER, {"module.function": frozenset({"internal"})})
    check = security.get_fn({}, [READ])
    for number in range(MOST_KNOWN_TOKENS + 1):
        check(request(internal(READ, jti=str(number))))
    assert len(security._known) == 1


def test_keys_rotate() -> None:
    new = INTERNAL_KEY[::-1]
    app = api(HS_KEY=new, HS_KEY_PREVIOUS=INTERNAL_KEY)
    for key in (new, INTERNAL_KEY):
        assert ask(app, "GET", PATH, token=signed(claims(READ), key)).status_code == 503
    assert ask(api(HS_KEY=new), "GET", PATH, token=internal(READ)).status_code == 401


def test_an_adapter_that_is_not_set_up_has_no_token() -> None:
    assert [
        each.name
        for each in issuers_of(settings(EPR_SERVICE_ADAPTER_ISSUER="", EPR_SERVICE_ADAPTER_HS_KEY=""))
    ] == ["internal"]
