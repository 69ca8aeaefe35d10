"""API keys: making one, and what of it is kept (pure; the random bytes are passed in)."""

import base64
import re
from dataclasses import dataclass, field
from hashlib import sha256

from dhos_connector_api.errors import TokenRejected

#: Bytes of randomness in a key: 256 bits. Nobody guesses them, so a fast hash is enough at rest.
KEY_BYTES = 32
_PREFIX = "dhos_"
_KEY = re.compile(rb"dhos_[A-Za-z0-9_-]{43}")
_HINT_CHARACTERS = len(_PREFIX) + 6


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key. `text` is shown to its owner once, and kept nowhere; `hint` is its beginning, for people."""

    text: str = field(repr=False)
    hash: bytes
    hint: str


def make(random: bytes) -> MadeKey:
    """Return a key of KEY_BYTES random bytes."""
    text = _PREFIX + base64.urlsafe_b64encode(random).rstrip(b"=").decode()
    return MadeKey(text, sha256(text.encode()).digest(), text[:_HINT_CHARACTERS])


def hash_of(given: bytes) -> bytes:
    """Return the SHA-256 of a key as it was sent. Raises TokenRejected for what cannot be a key of ours."""
    if not _KEY.fullmatch(given):
        raise TokenRejected("the API key is not known, or no longer")
    return sha256(given).digest()
