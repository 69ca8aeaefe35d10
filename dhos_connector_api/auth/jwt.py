"""JSON Web Tokens (RFC 7519): checking those of known issuers, and issuing our own.

One algorithm, HS512. Every issuer has its own keys, a second one while keys rotate. There is no
way to switch the check off.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha512
from typing import Any, TypeGuard

from jwt import InvalidTokenError, PyJWS
from jwt.algorithms import HMACAlgorithm

from dhos_connector_api.errors import TokenRejected, UnknownIssuer

ALGORITHM = "HS512"
#: How far the clocks of an issuer and ours may be apart.
LEEWAY = timedelta(seconds=30)
#: Real tokens have some 300 characters, and callers' names some 40.
MOST_CHARACTERS = 8192
MOST_CALLER_CHARACTERS = 255
#: No NumericDate lies beyond (the year 31,690,708).
_END_OF_TIME = 1e15
#: The names a caller may have in the claim `metadata`, in the order in which they are looked for.
SYSTEM = "system_id"
_CALLERS = ("patient_id", "device_id", "clinician_id", SYSTEM)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer whose tokens are taken. `name` is ours, `iss` the claim, `keys` the newest first."""

    name: str  # "internal" | "epr_adapter"
    iss: str
    keys: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claims:
    """The content of a valid token: its issuer, its scopes, and its caller (None: not said).

    `caller_kind` is the name the caller has in `metadata`: `system_id`, `clinician_id`, ...
    `refused_from` is the time, in seconds since 1970, from which it is not valid any more.
    """

    issuer: str
    scopes: frozenset[str]
    caller: str | None
    refused_from: float
    caller_kind: str | None = None


class _Hs512(HMACAlgorithm):
    """HS512 for keys of any length: how long a key has to be is for the settings to say."""

    def __init__(self) -> None:
        super().__init__(sha512)

    def check_key_length(self, key: Any) -> str | None:
        return None


_SIGNATURES = PyJWS(algorithms=[])
_SIGNATURES.register_algorithm(ALGORITHM, _Hs512())


def verify(token: str, issuers: Iterable[Issuer], audience: str, now: datetime) -> Claims:
    """Return what a token says, once its signature, `iss`, `aud`, `exp`, `nbf` and `scope` are checked.

    `now` is aware. Raises TokenRejected for any token that is not valid now, whatever it holds.
    """
    issuer, claims, refused_from = signed_claims(token, issuers, audience, now)
    scope = claims.get("scope")
    if not isinstance(scope, str):
        raise TokenRejected("the token's scope is not a text")
    kind, caller = _caller(claims.get("metadata"))
    return Claims(issuer.name, frozenset(scope.split()), caller, refused_from, kind)


def signed_claims(
    token: str, issuers: Iterable[Issuer], audience: str, now: datetime
) -> tuple[Issuer, dict[str, Any], float]:
    """Return who signed a token, all its claims, and from when it is refused, once these are checked.

    Checked are signature, `iss`, `aud`, `exp` and `nbf`. Raises UnknownIssuer where none of these issuers
    signed it, else TokenRejected.
    """
    if len(token) > MOST_CHARACTERS:
        raise TokenRejected("the token is too long")
    if not _is_spelt_once(token):
        raise TokenRejected("the token is not spelt as RFC 7515 says")
    for issuer in issuers:
        for key in issuer.keys:
            payload = _payload(token, key)
            if payload is not None:
                return issuer, *_checked(payload, issuer, audience, now)
    raise UnknownIssuer("the token is not one of an issuer known here")


def _is_spelt_once(token: str) -> bool:
    """Return whether nothing in the signature's last characters is ignored: one token has one spelling."""
    signature = token.rpartition(".")[2].encode()
    try:
        decoded = urlsafe_b64decode(signature + b"=" * (-len(signature) % 4))
    except ValueError:
        return False
    return urlsafe_b64encode(decoded).rstrip(b"=") == signature


def _payload(token: str, key: str) -> bytes | None:
    """The payload, when `key` made the signature."""
    try:
        payload: bytes = _SIGNATURES.decode(token, key, algorithms=[ALGORITHM])
    except (InvalidTokenError, ValueError, TypeError, RecursionError):
        return None
    return payload


def _checked(payload: bytes, issuer: Issuer, audience: str, now: datetime) -> tuple[dict[str, Any], float]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenRejected("the token holds no claims")
    if claims.get("iss") != issuer.iss:
        raise TokenRejected("the token names another issuer than the one that signed it")
    named = claims.get("aud")
    if audience not in (named if isinstance(named, list) else [named]):
        raise TokenRejected("the token is meant for another audience")
    return claims, _refused_from(claims, now.timestamp())


def _refused_from(claims: Mapping[str, Any], now: float) -> float:
    leeway = LEEWAY.total_seconds()
    expiry, start = claims.get("exp"), claims.get("nbf", 0)
    if not _is_number(expiry) or not _is_number(start):
        raise TokenRejected("the token does not say until when it is valid")
    if now >= expiry + leeway:
        raise TokenRejected("the token has expired")
    if now < start - leeway:
        raise TokenRejected("the token is not valid yet")
    return expiry + leeway


def _is_number(value: object) -> TypeGuard[float]:
    """A NumericDate (RFC 7519 section 2): a finite JSON number, and no integer out of bounds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _END_OF_TIME


def _caller(metadata: object) -> tuple[str, str] | tuple[None, None]:
    """The caller's kind and name; None for anything that could not be stored as it stands."""
    if not isinstance(metadata, dict):
        return None, None
    for name in _CALLERS:
        value = metadata.get(name)
        if isinstance(value, str) and 0 < len(value) <= MOST_CALLER_CHARACTERS and value.isprintable():
            return name, value
    return None, None


def issue(
    issuer: Issuer,
    *,
    audience: str,
    scopes: Iterable[str],
    now: datetime,
    lifetime: timedelta,
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Return a token in the name of `issuer`, signed with its newest key. `now` is aware."""
    more: dict[str, Any] = {"scope": " ".join(scopes)}
    if metadata:
        more["metadata"] = dict(metadata)
    return sign(issuer, more, audience=audience, now=now, lifetime=lifetime)


def sign(
    issuer: Issuer, more: Mapping[str, Any], *, audience: str, now: datetime, lifetime: timedelta
) -> str:
    """Return a token of `issuer` with `more` claims, signed with its newest key. `now` is aware."""
    claims: dict[str, Any] = {
        "iss": issuer.iss,
        "aud": audience,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        **more,
    }
    payload = json.dumps(claims, separators=(",", ":")).encode()
    return _SIGNATURES.encode(payload, issuer.keys[0], algorithm=ALGORITHM)
