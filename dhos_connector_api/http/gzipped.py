"""Bodies that come compressed by gzip (RFC 1952; RFC 9110 section 8.4.1.3), unpacked as they arrive.

What comes out is given in pieces, so that whoever counts them can stop before there is much of it.
"""

import zlib
from collections.abc import Iterator

from dhos_connector_api.errors import BadInput

#: Bytes of one piece.
PIECE = 65_536
#: Members of one body: each takes some time, and may be empty.
MOST_MEMBERS = 100
_GZIP = 16 + zlib.MAX_WBITS


class Gunzip:
    """Unpacks one body: `pieces` of each part that arrives, then `end`."""

    def __init__(self) -> None:
        self._members = 0
        self._member: zlib._Decompress | None = None

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        """Return what comes out of the next bytes. Raises BadInput for what is no gzip."""
        while packed:
            member = self._member or self._begin()
            try:
                piece = member.decompress(packed, PIECE)
                yield piece
                while len(piece) == PIECE and not member.unconsumed_tail and not member.eof:
                    piece = member.decompress(b"", PIECE)  # it may hold more than it gave
                    yield piece
            except zlib.error:
                raise BadInput("the body is not gzip, as Content-Encoding says") from None
            packed = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                self._member = None

    def end(self) -> None:
        """Note that no more arrives. Raises BadInput where the body breaks off."""
        if self._member is not None or not self._members:
            raise BadInput("the body is not gzip to its end, as Content-Encoding says")

    def _begin(self) -> "zlib._Decompress":
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise BadInput(f"the body has more than {MOST_MEMBERS} gzip members")
        self._member = zlib.decompressobj(_GZIP)
        return self._member
