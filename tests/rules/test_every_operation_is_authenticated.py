"""Every operation of the specification, asked with every kind of bad token: 401 or 403, nothing else."""

import json
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import flask
import pytest
from starlette.types import ASGIApp

from dhos_connector_api.app.web import handlers
from dhos_connector_api.db.engine import Database
from dhos_connector_api.http.routing import build
from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.document import Operation
from tests.builders.api import READ, WRITE, a_key, adapter, api, ask, claims, internal, shared_api, signed
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY, INTERNAL_KEY, ISSUER

DOCUMENT = specification.load()
OPERATIONS = list(specification.operations(DOCUMENT))
#: What persons alone open is tried in tests/edges/test_rights_matrix.py.
PROTECTED = [each for each in OPERATIONS if each.definition["security"] and not each.takes_persons_alone]
#: What anybody may ask. Adding to this set is a decision, not an oversight.
OPEN = {"check_running", "get_version", "check_ready", "get_metrics", "get_docs"}
OPEN |= {"check_health", "get_redoc", "get_api_docs", "get_api_redoc", "get_api_schema"}
#: How a person gets a token: tests/edges/test_api_tokens.py.
OPEN |= {"obtain_token", "refresh_token"}
#: Who signs the body instead of holding a token: tests/edges/test_api_webhooks.py tries them.
SIGNED = {"post_his_webhook", "post_lis_webhook", "post_emr_webhook"}
BY_KEY = [each for each in PROTECTED if {"api_key": []} in each.definition["security"]]
EVERY_SCOPE = {scope_ for each in PROTECTED for scope_ in each.definition["security"][0]["token"]}
#: An error's fields, below `/api/` and elsewhere.
SHAPES = {True: {"error", "details"}, False: {"code", "message"}}

Maker = Callable[[str], str | None]
BAD_TOKENS: dict[str, Maker] = {
    "no token": lambda _: None,
    "garbage": lambda _: "garbage",
    "three dots": lambda _: "a.b.c",
    "not a base64": lambda _: "\x7f.\x7f.\x7f",
    "deep header": lambda _: signed(b"{}", alg="HS512", deep=json.loads("[" * 900 + "]" * 900)),
    "too long": lambda scope: signed(claims(scope, filler="x" * 20_000)),
    "alg none": lambda scope: signed(claims(scope), alg="none").rpartition(".")[0] + ".",
    "alg none, signed": lambda scope: signed(claims(scope), alg="none"),
    "alg None": lambda scope: signed(claims(scope), alg="None"),
    "no alg": lambda scope: signed(claims(scope), alg=None),
    "HS256": lambda scope: signed(claims(scope), digest=sha256, alg="HS256"),
    "HS256, signed with SHA-512": lambda scope: signed(claims(scope), alg="HS256"),
    "RS512, signed with our key": lambda scope: signed(claims(scope), alg="RS512"),
    "HS512, signed with a public key": lambda scope: signed(claims(scope), "-----BEGIN PUBLIC KEY-----\n"),
    "empty signature": lambda scope: internal(scope).rpartition(".")[0] + ".",
    "no signature": lambda scope: internal(scope).rpartition(".")[0],
    "cut signature": lambda scope: internal(scope)[:-2],
    "other key": lambda scope: signed(claims(scope), "x" * 64),
    "key as hex bytes": lambda scope: signed(claims(scope), bytes.fromhex(INTERNAL_KEY).decode("latin-1")),
    "adapter's key, our iss": lambda scope: signed(claims(scope), ADAPTER_KEY),
    "our key, adapter's iss": lambda scope: internal(scope, iss=ADAPTER_ISSUER),
    "unknown iss": lambda scope: internal(scope, iss="http://elsewhere.test/"),
    "iss without its slash": lambda scope: internal(scope, iss=ISSUER.rstrip("/")),
    "iss as a list": lambda scope: internal(scope, iss=[ISSUER]),
    "no iss": lambda scope: internal(scope, iss=None),
    "wrong aud": lambda scope: internal(scope, aud="http://elsewhere.test/"),
    "no aud": lambda scope: internal(scope, aud=None),
    "expired": lambda scope: internal(scope, exp=1),
    "no exp": lambda scope: internal(scope, exp=None),
    "exp as text": lambda scope: internal(scope, exp="9999999999"),
    "endless exp": lambda scope: internal(scope, exp=float("inf")),
    "scope as a list": lambda scope: internal(scope, scope=[scope]),
    "no scope claim": lambda scope: internal(scope, scope=None),
}


@pytest.fixture(scope="module")
def app() -> ASGIApp:
    """The application without its database: whoever gets past the token sees 503 or 501."""
    return api()


def scope_of(operation: Operation) -> str:
    return str(operation.definition["security"][0]["token"][0])


def request(operation: Operation) -> dict[str, Any]:
    """A request of that operation that fits the specification, from its own examples."""
    path = re.sub(r"\{(\w+)\}", lambda match: _example(operation, match[1]), operation.path)
    query = {
        each["name"]: each["example"]
        for each in operation.parameters
        if each["in"] == "query" and each.get("required")
    }
    body = operation.definition.get("requestBody", {}).get("content", {}).get("application/json")
    extra = {"json": body["example"]} if body else {}
    return {"method": operation.method.upper(), "path": path, "params": query, **extra}


def _example(operation: Operation, name: str) -> str:
    return str(next(each["example"] for each in operation.parameters if each["name"] == name))


def test_only_the_listed_operations_are_open() -> None:
    assert {each.id for each in OPERATIONS if not each.definition["security"]} == OPEN | SIGNED
    assert {each.id for each in BY_KEY} == {
        "post_event",
        "post_events",
        "post_simulated_event",
        "list_events",
        "get_event",
        "reprocess_event",
        "post_his_patient_data",
        "post_simulated_patient_data",
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
def test_an_operation_whose_requests_are_signed_takes_nothing_else(operation: Operation) -> None:
    signed_ = operation.definition.get("x-authenticated-by") == "signature"
    assert signed_ is (operation.id in SIGNED)
    if signed_:
        secrets_: dict[str, Any] = {
            f"{source}_WEBHOOK_SECRET": "x" * 40 + source for source in ("HIS", "LIS", "EMR")
        }
        for app in (api(**secrets_), api()):
            for token in (None, internal(*EVERY_SCOPE)):
                response = ask(app, **request(operation), token=token, headers={"X-API-Key": "x"})
                assert response.status_code == 401
                assert response.headers["WWW-Authenticate"] == "Signature"


def test_flask_has_no_rule_that_the_specification_does_not_have() -> None:
    application = flask.Flask("connector", static_folder=None)
    application.register_blueprint(build(DOCUMENT, handlers(DOCUMENT), lambda: None))
    rules = {rule.endpoint.partition(".")[2] for rule in application.url_map.iter_rules()}
    assert rules == {each.id for each in OPERATIONS} - {"check_running", "get_version"}


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_a_bad_token_is_401(app: ASGIApp, operation: Operation) -> None:
    for bad, made in BAD_TOKENS.items():
        response = ask(app, **request(operation), token=made(scope_of(operation)))
        assert response.status_code == 401, bad
        assert response.headers["WWW-Authenticate"] == "Bearer", bad
        assert set(response.json()) == SHAPES[operation.path.startswith("/api/")], bad


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_a_header_that_is_no_bearer_token_is_401(app: ASGIApp, operation: Operation) -> None:
    for header in ("Bearer", "Bearer ", "Basic {}", "Token {}", "{}", "Bearer {} x"):
        value = header.format(internal(scope_of(operation)))
        response = ask(app, **request(operation), headers={"Authorization": value})
        assert response.status_code == 401, header


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_a_token_without_the_scope_is_403(app: ASGIApp, operation: Operation) -> None:
    for scopes in ((), ("",), ("other:thing",), ("hl7_message",), (WRITE[:-1],), (WRITE + "s",)):
        assert ask(app, **request(operation), token=internal(*scopes)).status_code == 403, scopes


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_all_other_scopes_are_not_enough(app: ASGIApp, operation: Operation) -> None:
    response = ask(app, **request(operation), token=internal(*(EVERY_SCOPE - {scope_of(operation)})))
    assert response.status_code == 403
    assert scope_of(operation) in response.text


BAD_KEYS = {
    "empty": b"",
    "garbage": b"garbage",
    "no ASCII": "dhos_ключ".encode(),
    "too short": b"dhos_" + b"a" * 42,
    "too long": b"dhos_" + b"a" * 44,
    "very long": b"dhos_" + b"a" * 10_000,
    "other prefix": b"DHOS_" + b"a" * 43,
    "with a space": b"dhos_" + b"a" * 43 + b" x",
    "a token": internal("write:his").encode(),
}


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_a_bad_key_is_401(app: ASGIApp, operation: Operation) -> None:
    for bad, key in BAD_KEYS.items():
        response = ask(app, **request(operation), headers={"X-API-Key": key})
        assert response.status_code == 401, bad
        assert set(response.json()) == SHAPES[operation.path.startswith("/api/")], bad


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_a_key_that_is_not_known_or_no_longer_is_401(database: Database, operation: Operation) -> None:
    app = shared_api(database)
    keys = [a_key(database), a_key(database, revoked=True), a_key(database, expired=True)]
    for key in (*keys[1:], "dhos_" + "A" * 43, keys[0][:-1] + ("A" if keys[0][-1] != "A" else "B")):
        assert ask(app, **request(operation), headers={"X-API-Key": key}).status_code == 401
        twice = [("X-API-Key", keys[0]), ("X-API-Key", key)]
        assert ask(app, **request(operation), pairs=twice).status_code == 401


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_a_good_key_gets_through_where_keys_do_and_nowhere_else(
    database: Database, operation: Operation
) -> None:
    response = ask(shared_api(database), **request(operation), headers={"X-API-Key": a_key(database)})
    assert (response.status_code == 401) is (operation not in BY_KEY)


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_only_allowed_issuers_get_through(app: ASGIApp, operation: Operation) -> None:
    allowed = operation.definition["x-allowed-issuers"]
    assert allowed == (["internal", "epr_adapter"] if operation.id == "post_message" else ["internal"])
    response = ask(app, **request(operation), token=adapter(WRITE, READ))
    assert (response.status_code == 403) is ("epr_adapter" not in allowed)


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_no_spelling_of_an_address_gets_round_the_token(app: ASGIApp, operation: Operation) -> None:
    for twist in ("{}%0A", "{}/", "/{}", "{}//", "{}%2F", "{};x", "{}%00", "{}?", "{}%3F", "/.{}"):
        twisted = request(operation) | {"path": twist.format(request(operation)["path"])}
        assert ask(app, **twisted).status_code in (401, 404, 405), twist


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.id)
def test_a_good_token_gets_through(app: ASGIApp, operation: Operation) -> None:
    for _ in range(2):  # the second time it is known
        status = ask(app, **request(operation), token=internal("more", scope_of(operation))).status_code
        assert status in (501, 503)
