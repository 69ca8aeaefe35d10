"""API keys: what is made, what is kept of it, what is taken for one."""

import secrets
from base64 import urlsafe_b64decode
from hashlib import sha256

import pytest

from dhos_connector_api.auth.api_keys import KEY_BYTES, hash_of, make
from dhos_connector_api.errors import TokenRejected


def test_a_key_holds_256_random_bits_and_only_its_hash_and_beginning_are_kept() -> None:
    random = secrets.token_bytes(KEY_BYTES)
    made = make(random)
    assert KEY_BYTES * 8 == 256
    assert urlsafe_b64decode(made.text.removeprefix("dhos_") + "=") == random
    assert made.hash == sha256(made.text.encode()).digest() == hash_of(made.text.encode())
    assert made.text.startswith(made.hint)
    assert len(made.hint) < 12
    assert made.text not in repr(made)


@pytest.mark.parametrize(
    "given", [b"", b"dhos_", b"dhos_" + b"a" * 44, b"dhos_" + b"a" * 42 + b"\n", b"\xff" * 48]
)
def test_what_cannot_be_a_key_is_refused_without_a_look(given: bytes) -> None:
    with pytest.raises(TokenRejected):
        hash_of(given)
