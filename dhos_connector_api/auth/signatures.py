"""Signed webhooks: whether a raw body comes from somebody who knows the secret (pure).

Two forms: the sender's own header with the hex HMAC-SHA256 of the body, and Standard Webhooks
(https://www.standardwebhooks.com, `webhook-id`, `webhook-timestamp`, `webhook-signature`), which also
signs an id and a time. Every comparison takes the same time whatever it finds.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dhos_connector_api.errors import SignatureRejected

#: How far a Standard Webhooks timestamp may be from our clock, in both directions.
WINDOW_SECONDS = 300
#: Signatures in one header; a sender that rotates its key needs two.
MOST_SIGNATURES = 8
_WHSEC = "whsec_"
#: Full stops separate what is signed, and braces begin a body: neither is part of an id.
_ID = re.compile(r"[A-Za-z0-9_:=+/-]{1,255}")
_TIMESTAMP = re.compile(r"[1-9][0-9]{8,11}")
#: How the content of the standard form begins, and no JSON object does.
_STANDARD_CONTENT = re.compile(rb"[^.\s{]+\.[0-9]+\.")
_REJECTED = "the signature is missing or does not fit"


@dataclass(frozen=True, slots=True)
class Secret:
    """One shared secret. `text` never shows in a representation."""

    text: str = field(repr=False)

    @property
    def plain_key(self) -> bytes:
        """The key of the hex form: the text as it is set, in UTF-8."""
        return self.text.encode()

    @property
    def standard_key(self) -> bytes:
        """The key of the standard form: the base64 after `whsec_`, else the text in UTF-8.

        Raises ValueError where there is no base64 after it.
        """
        if not self.text.startswith(_WHSEC):
            return self.plain_key
        return base64.b64decode(self.text.removeprefix(_WHSEC), validate=True)

    @property
    def is_usable(self) -> bool:
        """Return whether both forms can be checked with it."""
        try:
            return bool(self.standard_key)
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Signed:
    """The signed parts of a request, and its signature. `plain` is the sender's own header, or None."""

    body: bytes
    plain: str | None = None
    id: str | None = None
    timestamp: str | None = None
    signatures: str | None = None

    @property
    def is_standard(self) -> bool:
        """Return whether any header of the standard form was sent; then that form alone decides."""
        return not (self.id is None and self.timestamp is None and self.signatures is None)


def verify(request: Signed, secrets: Sequence[Secret], now: datetime, *, standard_only: bool = False) -> None:
    """Raise SignatureRejected unless one of `secrets` (several while one rotates) has signed `request`.

    `now` is aware. With `standard_only` the sender's own form, which anybody who has seen a request
    can send again for ever, is not enough.
    """
    if not secrets:
        raise SignatureRejected("no secret for these webhooks is set up here")
    if request.is_standard:
        fits = _fits_standard(request, secrets, now)
    elif standard_only:
        raise SignatureRejected("these webhooks have to be signed in the Standard Webhooks form")
    else:
        # What was signed in the standard form is no body of this one, whoever sends it as such.
        fits = not _STANDARD_CONTENT.match(request.body) and _fits_plain(request, secrets)
    if not fits:
        raise SignatureRejected(_REJECTED)


def _fits_plain(request: Signed, secrets: Sequence[Secret]) -> bool:
    given = (request.plain or "").removeprefix("sha256=")
    found = False
    for secret in secrets:
        expected = plain_signature(secret, request.body)
        found |= _same(given, expected)
        found |= _same(given, expected.upper())
    return found


def _fits_standard(request: Signed, secrets: Sequence[Secret], now: datetime) -> bool:
    identity, timestamp = request.id or "", request.timestamp or ""
    if not _ID.fullmatch(identity) or not _TIMESTAMP.fullmatch(timestamp):
        return False
    if abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
        raise SignatureRejected("the webhook's timestamp is more than 5 minutes from our clock")
    given = (request.signatures or "").split(" ")
    if len(given) > MOST_SIGNATURES:
        return False
    found = False
    for secret in secrets:
        expected = standard_signature(secret, identity, timestamp, request.body)
        for each in given:
            found |= _same(each, expected)
    return found


def plain_signature(secret: Secret, body: bytes) -> str:
    """Return the hex HMAC-SHA256 of a body, in lower case."""
    return hmac.new(secret.plain_key, body, hashlib.sha256).hexdigest()


def standard_signature(secret: Secret, identity: str, timestamp: str, body: bytes) -> str:
    """Return `v1,<base64>`: the HMAC-SHA256 of id, Unix seconds and body, with full stops between them."""
    content = f"{identity}.{timestamp}.".encode() + body
    digest = hmac.new(secret.standard_key, content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def _same(given: str, expected: str) -> bool:
    """Texts are compared, not what they decode to: base64 has several spellings of the same bytes."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())
