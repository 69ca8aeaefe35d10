"""Signed webhooks: what is taken, and that nothing else is, whatever bit of it was touched."""

import base64
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dhos_connector_api.auth.signatures import Secret, Signed, verify
from dhos_connector_api.errors import SignatureRejected
from tests.builders.his import (
    HIS_SECRET,
    HIS_SECRET_BEFORE,
    STANDARD_SECRET,
    raw_of,
    signed_headers,
    standard_headers,
    webhook,
)

NOW = datetime(2025, 6, 5, 8, 6, tzinfo=UTC)
KEYS = (Secret(HIS_SECRET), Secret(HIS_SECRET_BEFORE))
STANDARD = (Secret(STANDARD_SECRET),)
BODY = raw_of(webhook())


def plain(raw: bytes = BODY, secret: str = HIS_SECRET) -> Signed:
    return Signed(raw, plain=signed_headers(raw, secret)["X-HIS-Signature"])


def standard(raw: bytes = BODY, *secrets: str, at: datetime = NOW, id_: str = "msg_1") -> Signed:
    headers = standard_headers(raw, *(secrets or (STANDARD_SECRET,)), id_=id_, at=at.timestamp())
    return Signed(
        raw,
        id=headers["webhook-id"],
        timestamp=headers["webhook-timestamp"],
        signatures=headers["webhook-signature"],
    )


def accepted(request: Signed, keys: tuple[Secret, ...] = KEYS, **options: bool) -> bool:
    try:
        verify(request, keys, NOW, **options)
    except SignatureRejected:
        return False
    return True


def test_the_hex_form_is_taken_with_and_without_its_prefix_in_either_case() -> None:
    good = plain()
    assert good.plain is not None
    for spelling in (good.plain, f"sha256={good.plain}", good.plain.upper()):
        assert accepted(replace(good, plain=spelling))


@pytest.mark.parametrize(
    "spelling", ["{0} ", " {0}", "sha256={0}x", "sha1={0}", "sha256=sha256={0}", "{0},{0}"]
)
def test_no_other_spelling_of_the_hex_form_is_taken(spelling: str) -> None:
    good = plain()
    assert not accepted(replace(good, plain=spelling.format(good.plain)))


def test_while_a_key_rotates_both_are_taken() -> None:
    assert accepted(plain(secret=HIS_SECRET))
    assert accepted(plain(secret=HIS_SECRET_BEFORE))
    assert not accepted(plain(secret=HIS_SECRET_BEFORE), KEYS[:1])
    assert accepted(standard(BODY, HIS_SECRET_BEFORE))
    assert accepted(standard(BODY, "x" * 40, HIS_SECRET), KEYS)


def test_the_standard_form_is_that_of_its_specification() -> None:
    # The example of https://github.com/standard-webhooks/standard-webhooks, section "Signature scheme"
    secret = Secret("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    request = Signed(
        b'{"test": 2432232314}',
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp="1614265330",
        signatures="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    )
    verify(request, [secret], datetime.fromtimestamp(1614265330, UTC))


@pytest.mark.parametrize("seconds", [-301, -3600, 301, 3600])
def test_outside_five_minutes_in_either_direction_nothing_is_taken(seconds: int) -> None:
    assert not accepted(standard(at=NOW + timedelta(seconds=seconds)), STANDARD)


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_within_five_minutes_it_is(seconds: int) -> None:
    assert accepted(standard(at=NOW + timedelta(seconds=seconds)), STANDARD)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"timestamp": None},
        {"signatures": None},
        {"signatures": ""},
        {"signatures": "v1,"},
        {"signatures": "v1"},
        {"timestamp": ""},
        {"timestamp": "0"},
        {"timestamp": "٣٠٠٠٠٠٠٠٠"},
        {"timestamp": "-1749110760"},
        {"timestamp": "9" * 5000},
        {"id": ""},
        {"id": "a.b"},
        {"id": '{"a":1}'},
        {"id": "x" * 300},
    ],
)
def test_a_standard_form_that_is_not_whole_is_not_taken(changes: dict[str, Any]) -> None:
    assert not accepted(replace(standard(), **changes), STANDARD)


def test_another_version_of_the_standard_form_is_passed_over() -> None:
    good = standard()
    assert accepted(replace(good, signatures=f"v1a,xxxx {good.signatures} v2,zzzz"), STANDARD)
    assert not accepted(replace(good, signatures=f"v2{str(good.signatures)[2:]}"), STANDARD)


def test_more_signatures_than_anybody_needs_are_not_looked_at() -> None:
    good = standard()
    assert not accepted(replace(good, signatures=" ".join([str(good.signatures)] * 9)), STANDARD)


def test_where_any_header_of_the_standard_form_is_sent_that_form_decides() -> None:
    both = replace(plain(), id="msg_1")
    assert not accepted(both)


def test_an_endpoint_that_requires_the_standard_form_takes_no_other() -> None:
    assert not accepted(plain(), standard_only=True)
    assert accepted(standard(), STANDARD, standard_only=True)


def test_without_a_secret_nothing_is_taken() -> None:
    for request in (plain(), standard(), plain(secret=""), Signed(BODY), Signed(BODY, plain="")):
        assert not accepted(request, ())


def test_what_was_signed_in_one_form_does_not_pass_for_the_other() -> None:
    secret, in_standard = (Secret(HIS_SECRET),), standard(BODY, HIS_SECRET)
    assert accepted(in_standard, secret)
    whole = f"{in_standard.id}.{in_standard.timestamp}.".encode() + BODY
    digest = base64.b64decode(str(in_standard.signatures).removeprefix("v1,"))
    assert plain(whole).plain == digest.hex()  # the signature fits: the body is what gives it away
    assert not accepted(plain(whole), secret)


def test_what_was_signed_in_the_hex_form_does_not_pass_for_the_standard_one() -> None:
    whole = BODY.replace(b"{", b'{"a.1749110760.b": 1, ', 1)
    digest = bytes.fromhex(str(plain(whole).plain))
    signature = f"v1,{base64.b64encode(digest).decode()}"
    id_, timestamp, body = whole.split(b".", 2)
    assert accepted(plain(whole), KEYS)  # full stops in a JSON object are nobody's concern
    forged = Signed(body, id=id_.decode(), timestamp=timestamp.decode(), signatures=signature)
    now = datetime.fromtimestamp(int(timestamp), UTC)
    with pytest.raises(SignatureRejected):
        verify(forged, KEYS, now)


def test_a_secret_does_not_show() -> None:
    assert HIS_SECRET not in repr(KEYS)


def _flipped(text: bytes, bit: int) -> bytes:
    changed = bytearray(text)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_of_a_hundred_thousand_bit_flips_none_is_taken() -> None:
    numbers = random.Random(5)
    good_plain, good_standard = plain(), standard()
    assert accepted(good_plain)
    assert accepted(good_standard, STANDARD)
    taken = 0
    for _ in range(50_000):
        taken += accepted(_with_flip(good_plain, numbers.choice(("body", "plain")), numbers))
        part = numbers.choice(("body", "id", "timestamp", "signatures"))
        taken += accepted(_with_flip(good_standard, part, numbers), STANDARD)
    assert taken == 0


def _with_flip(request: Signed, part: str, numbers: random.Random) -> Signed:
    """The request with one bit of one part turned; headers reach us as Latin-1."""
    value = getattr(request, part)
    raw = value if isinstance(value, bytes) else value.encode("latin-1")
    flipped = _flipped(raw, numbers.randrange(len(raw) * 8))
    changes: dict[str, Any] = {part: flipped if part == "body" else flipped.decode("latin-1")}
    return replace(request, **changes)
