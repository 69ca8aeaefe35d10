"""What a person's tokens say (pure): an access token names the user, and the generation of his tokens.

Nothing in it says what he may do: that is read at each request. A refresh token says nothing at all.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from dhos_connector_api.auth import jwt
from dhos_connector_api.auth.jwt import Issuer
from dhos_connector_api.errors import TokenRejected

#: The issuer and the audience of persons' tokens.
PX = "px"
#: Random bytes of a refresh token.
REFRESH_BYTES = 32
_PREFIX = "pxr_"


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says: whose it is, and of which generation."""

    user_id: UUID
    generation: int


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as its holder has it, and the hash by which it is known here."""

    text: str
    hash: bytes


def issuer(keys: Iterable[str]) -> Issuer:
    """Return the issuer of persons' tokens, who has these keys, the newest first."""
    return Issuer(PX, PX, tuple(keys))


def access_token(signer: Issuer, claims: AccessClaims, *, now: datetime, lifetime: timedelta) -> str:
    """Return an access token, signed with the newest key."""
    more = {"sub": str(claims.user_id), "gen": claims.generation}
    return jwt.sign(signer, more, audience=PX, now=now, lifetime=lifetime)


def read(token: str, signer: Issuer, now: datetime) -> AccessClaims:
    """Return what an access token says. Raises UnknownIssuer for one of others, else TokenRejected."""
    _, claims, _ = jwt.signed_claims(token, (signer,), PX, now)
    try:
        return AccessClaims(UUID(claims["sub"]), int(claims["gen"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        raise TokenRejected("the token names no person") from None


def refresh_token(random: bytes) -> RefreshToken:
    """Return a new refresh token made of REFRESH_BYTES random bytes."""
    text = _PREFIX + base64.urlsafe_b64encode(random).rstrip(b"=").decode()
    return RefreshToken(text, refresh_hash(text))


def refresh_hash(text: str) -> bytes:
    """Return the hash by which a refresh token is known; its bits are random, so that it needs no salt."""
    return hashlib.sha256(text.encode()).digest()
