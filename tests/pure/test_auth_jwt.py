"""Tokens: what is taken, what is rejected, and that rejecting is all that can happen."""

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.auth.jwt import LEEWAY, Claims, Issuer, issue, verify
from dhos_connector_api.errors import TokenRejected
from tests.builders.api import claims, signed
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY, INTERNAL_KEY, ISSUER

INTERNAL = Issuer("internal", ISSUER, (INTERNAL_KEY,))
ADAPTER = Issuer("epr_adapter", ADAPTER_ISSUER, (ADAPTER_KEY,))


def check(token: str, *, now: datetime | None = None, internal: Issuer = INTERNAL) -> Claims:
    return verify(token, (internal, ADAPTER), ISSUER, now or datetime.now(UTC))


def test_a_token_we_issue_is_taken() -> None:
    now = datetime.now(UTC)
    token = issue(
        INTERNAL,
        audience=ISSUER,
        scopes=["read:hl7_message", "write:hl7_message"],
        now=now,
        lifetime=timedelta(minutes=10),
        metadata={"clinician_id": "c1"},
    )
    found = check(token)
    assert (found.issuer, found.caller) == ("internal", "c1")
    assert found.scopes == {"read:hl7_message", "write:hl7_message"}


def test_the_adapter_has_its_own_issuer_and_key() -> None:
    assert check(signed(claims("x", iss=ADAPTER_ISSUER), ADAPTER_KEY)).issuer == "epr_adapter"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": ADAPTER_ISSUER},
        {"iss": ISSUER.rstrip("/")},
        {"iss": [ISSUER]},
        {"iss": None},
        {"aud": ADAPTER_ISSUER},
        {"aud": None},
        {"aud": {ISSUER: 1}},
        {"exp": None},
        {"exp": "2999-01-01"},
        {"exp": True},
        {"exp": 10**400},
        {"exp": float("inf")},
        {"exp": 1},
        {"nbf": 10**12},
        {"nbf": "soon"},
        {"scope": None},
        {"scope": ["read:hl7_message"]},
    ],
)
def test_claims_that_do_not_fit_are_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenRejected):
        check(signed(claims("read:hl7_message", **changes)))


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 5000, b'{"exp": ' + b"9" * 5000]
)
def test_a_payload_that_is_no_object_is_rejected(payload: bytes) -> None:
    with pytest.raises(TokenRejected):
        check(signed(payload))


def test_only_hs512_is_taken() -> None:
    payload = claims("x")
    for token in (
        signed(payload, digest=sha256, alg="HS256"),
        signed(payload, alg="RS512"),
        signed(payload, alg="none"),
        signed(payload, alg=None),
        signed(payload, alg=["HS512"]),
        signed(payload, "-----BEGIN PUBLIC KEY-----"),
        signed(payload).rpartition(".")[0] + ".",
        signed(payload, alg="none").rpartition(".")[0] + ".",
    ):
        with pytest.raises(TokenRejected):
            check(token)


def test_two_keys_are_taken_while_they_rotate_and_one_afterwards() -> None:
    new = secrets.token_hex(32)
    rotating = Issuer("internal", ISSUER, (new, INTERNAL_KEY))
    for key in (new, INTERNAL_KEY):
        assert check(signed(claims("x"), key), internal=rotating).issuer == "internal"
    with pytest.raises(TokenRejected):
        check(signed(claims("x")), internal=Issuer("internal", ISSUER, (new,)))


def test_an_issuer_cannot_speak_for_another() -> None:
    with pytest.raises(TokenRejected):
        check(signed(claims("x", iss=ISSUER), ADAPTER_KEY))


def test_expiry_has_a_leeway_of_thirty_seconds() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    token = signed(claims("x", exp=int(now.timestamp())))
    assert check(token, now=now + LEEWAY - timedelta(seconds=1)).refused_from == (now + LEEWAY).timestamp()
    with pytest.raises(TokenRejected):
        check(token, now=now + LEEWAY)


@pytest.mark.parametrize(
    ("metadata", "caller"),
    [
        ({"patient_id": "p", "system_id": "s"}, "p"),
        ({"device_id": "d", "clinician_id": "c"}, "d"),
        ({"system_id": "s"}, "s"),
        ({"system_id": 7}, None),
        ({"system_id": "a\0b"}, None),
        ({"system_id": "\ud800"}, None),
        ({"system_id": "s" * 256}, None),
        ({}, None),
        ("system_id", None),
        (None, None),
    ],
)
def test_who_called_is_taken_from_the_metadata(metadata: Any, caller: str | None) -> None:
    assert check(signed(claims("x", metadata=metadata))).caller == caller


@given(st.text())
def test_no_text_does_anything_but_be_rejected(text: str) -> None:
    with pytest.raises(TokenRejected):
        check(text)


@given(
    st.recursive(st.none() | st.booleans() | st.text(), st.lists, max_leaves=5),
    st.sampled_from(["iss", "aud", "exp", "scope"]),
)
def test_no_value_of_a_claim_does_anything_but_be_rejected(value: Any, name: str) -> None:
    if name == "scope" and isinstance(value, str):
        value = [value]
    with pytest.raises(TokenRejected):
        check(signed(claims("x") | {name: value}))
