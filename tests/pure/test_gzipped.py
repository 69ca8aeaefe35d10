"""Bodies that come compressed: unpacked piece by piece, and never more than is asked for."""

import gzip
import zlib
from random import Random

import pytest

from dhos_connector_api.errors import BadInput
from dhos_connector_api.http.gzipped import MOST_MEMBERS, PIECE, Gunzip

SAMPLES = [b"", b"x", b"x" * PIECE, b"x" * (PIECE + 1), Random(1).randbytes(300_000), b"ab" * 500_000]


def unpacked(packed: bytes, step: int) -> bytes:
    stream = Gunzip()
    found = [piece for at in range(0, len(packed), step) for piece in stream.pieces(packed[at : at + step])]
    stream.end()
    assert max(map(len, found), default=0) <= PIECE
    return b"".join(found)


@pytest.mark.parametrize("raw", SAMPLES, ids=len)
@pytest.mark.parametrize("step", [7, 1000, 10**7])
def test_what_was_packed_comes_out_however_it_arrives(raw: bytes, step: int) -> None:
    assert unpacked(gzip.compress(raw), step) == raw
    assert unpacked(gzip.compress(raw) + gzip.compress(b"more"), step) == raw + b"more"


_PACKED = gzip.compress(b"MSH|" * 1000)
_DAMAGED = [
    *(b"", b"MSH|", _PACKED[:-1], _PACKED[:5], _PACKED + b"MSH|", _PACKED + b"\0"),
    *(_PACKED[:-8] + b"\0" * 8, zlib.compress(b"MSH|"), gzip.compress(b"") * (MOST_MEMBERS + 1)),
]


@pytest.mark.parametrize("packed", _DAMAGED, ids=range(len(_DAMAGED)))
@pytest.mark.parametrize("step", [1, 10**7])
def test_what_is_no_gzip_is_refused(packed: bytes, step: int) -> None:
    with pytest.raises(BadInput):
        unpacked(packed, step)


def test_of_a_bomb_no_more_comes_out_than_is_asked_for() -> None:
    pieces = Gunzip().pieces(gzip.compress(b"\0" * 50_000_000))
    assert len(next(pieces)) == PIECE
