"""Tokens as the platform and the EPR service adapter make them: HS512, `iss`, `aud`, `exp`, `scope`."""

import secrets
import time
from typing import Any

import jwt

from driver.surroundings import Surroundings

WRITE, READ = "write:hl7_message", "read:hl7_message"
WRITE_HIS = "write:his"
BOTH = f"{WRITE} {READ}"
MINUTES = 600


def internal(around: Surroundings, scope: str = BOTH, **claims: Any) -> str:
    """A token of the platform itself; `claims` replace or add to the ordinary ones."""
    return _token(around.key, {"iss": around.issuer, "aud": around.issuer, "scope": scope} | claims)


def epr_adapter(around: Surroundings, scope: str = WRITE) -> str:
    """A token of the EPR service adapter."""
    return _token(around.adapter_key, {"iss": around.adapter_issuer, "aud": around.issuer, "scope": scope})


def bad(around: Surroundings, kind: str) -> str:
    """A token that nobody should take, by what is wrong with it."""
    makers = {
        "that is garbage": lambda: "not.a.token",
        "expired": lambda: internal(around, exp=int(time.time()) - 120),
        "signed with another key": lambda: _token(secrets.token_hex(64), _claims(around)),
        "of another issuer": lambda: internal(around, iss="http://elsewhere.example/"),
        "for another audience": lambda: internal(around, aud="http://elsewhere.example/"),
        "signed with HS256": lambda: _token(around.key, _claims(around), "HS256"),
        "not signed at all": lambda: jwt.encode(_claims(around), None, algorithm="none"),
        "without expiry": lambda: jwt.encode(_claims(around), around.key, algorithm="HS512"),
        "without the scope": lambda: internal(around, scope="read:something_else"),
    }
    return makers[kind]()


def _claims(around: Surroundings) -> dict[str, Any]:
    return {"iss": around.issuer, "aud": around.issuer, "scope": BOTH}


def _token(key: str, claims: dict[str, Any], algorithm: str = "HS512") -> str:
    now = int(time.time())
    metadata = {"system_id": "integration-tests"}
    return jwt.encode(
        {"iat": now, "exp": now + MINUTES, "metadata": metadata} | claims, key, algorithm=algorithm
    )
