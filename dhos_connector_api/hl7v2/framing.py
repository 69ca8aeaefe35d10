"""MLLP framing: from a stream of bytes to frames, and back (HL7 v2 transport specification, MLLP release 1).

A frame is 0B, the message, 1C 0D. Pure: bytes go in piece by piece as they arrive, frames and
everything that is no frame come out as values, and never more is held than one frame may have.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from dhos_connector_api.hl7v2.headers import MARK

START, END = b"\x0b", b"\x1c\r"
#: Bytes kept of a frame that is too long: enough to read its MSH and to say what it was.
HEAD = 65_536
#: What may stand between frames.
LINE_ENDS = b"\r\n"
#: 0B that begins another frame inside a frame: behind 1C, or before a header that has come whole.
_RESTART = re.compile(
    rb"\x0b(?:(?<=\x1c\x0b)|(?=[ \t\r\n\f]{0,8}(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS)" + MARK + rb"))"
)
#: Bytes of a 0B and what has to be seen behind it.
_LOOKED_AT = 16


class Oddity(StrEnum):
    """The reasons for which bytes are dropped."""

    OUTSIDE = "bytes outside a frame"
    RESTARTED = "a new frame began inside a frame"
    UNENDED = "1C without 0D, and then a new frame"
    PARTIAL = "the stream ended inside a frame"
    NO_CARRIAGE_RETURN = "the stream ended after 1C without 0D"


@dataclass(frozen=True, slots=True)
class Frame:
    """A complete frame. `size` is its length; where it was too long, `content` is its head alone."""

    content: bytes
    size: int

    @property
    def whole(self) -> bool:
        """Return whether the frame was no longer than allowed."""
        return len(self.content) == self.size


@dataclass(frozen=True, slots=True)
class Dropped:
    """Bytes that belong to no complete frame: how many, and why."""

    why: Oddity
    size: int


class Deframer:
    """Takes a stream in pieces (`feed`) and gives what is in it one by one (`take`).

    0B begins a frame, also inside one where a header (MSH, FHS, BHS) follows or nothing but it has come:
    what came before it was cut off, and a part of a message must never pass for a message. Another 0B is
    content, and so is 1C without 0D behind it: such messages are kept, and refused (`mllp.answering`,
    `hl7v2.rules`). Line ends between frames are no oddity.
    """

    __slots__ = ("_buffer", "_head", "_head_size", "_inside", "_largest", "_scanned", "_skipped", "_stray")

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._head_size = min(HEAD, largest)
        self._buffer = bytearray()
        self._scanned = 0  # of the buffer, searched for END without success
        self._inside = False
        self._head = b""  # of a frame that is too long
        self._skipped = 0  # bytes of that frame that are no longer in the buffer
        self._stray = 0

    @property
    def held(self) -> int:
        """Return the number of bytes in memory."""
        return len(self._buffer) + len(self._head)

    @property
    def stray(self) -> int:
        """Return the number of bytes that came outside a frame since the last frame."""
        return self._stray

    @property
    def clean(self) -> bool:
        """Return whether the stream stands between two frames, with nothing but line ends since the last."""
        return not (self._inside or self._stray or self._buffer)

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._buffer += data

    def take(self) -> Frame | Dropped | None:
        """Return the next frame or dropped bytes; None: more has to arrive first."""
        while True:
            if not self._inside and not self._begin():
                return None
            if self._stray:
                return self._dropped(Oddity.OUTSIDE)
            end = self._buffer.find(END, max(0, self._scanned - 1))
            restart = self._restart(end if end >= 0 else len(self._buffer))
            if restart >= 0:
                return self._restarted(restart)
            if end >= 0:
                return self._frame(end)
            self._scanned = self._decided()
            if self._skipped or len(self._buffer) > self._largest + _LOOKED_AT:
                self._skip()
            return None

    def finish(self) -> Dropped | None:
        """Return the bytes dropped at the stream's end, once `take` has given None; None: it ended well."""
        if not self._inside:
            return self._dropped(Oddity.OUTSIDE) if self._stray else None
        why = Oddity.NO_CARRIAGE_RETURN if self._buffer.endswith(b"\x1c") else Oddity.PARTIAL
        dropped = Dropped(why, self._skipped + len(self._buffer))
        self._outside(len(self._buffer))
        return dropped

    def _begin(self) -> bool:
        """Go to the next frame's first byte; False where none has begun."""
        start = self._buffer.find(START)
        before = self._buffer if start < 0 else self._buffer[:start]
        self._stray += len(before.translate(None, LINE_ENDS)) if before else 0
        if start < 0:
            self._buffer.clear()
            return False
        del self._buffer[: start + 1]
        self._inside, self._scanned = True, 0
        return True

    def _dropped(self, why: Oddity) -> Dropped:
        dropped = Dropped(why, self._stray)
        self._stray = 0
        return dropped

    def _restart(self, end: int) -> int:
        """The place before `end` where another frame begins; -1: none is known to."""
        if not self._skipped and end and self._buffer.startswith(START):
            return 0
        found = _RESTART.search(self._buffer, self._scanned, end)
        return found.start() if found else -1

    def _decided(self) -> int:
        """The place up to which the buffer need not be searched again: it may end behind a 0B."""
        length = len(self._buffer)
        start = self._buffer.find(START, max(0, length - _LOOKED_AT))
        return start if start >= 0 else length

    def _restarted(self, at: int) -> Dropped:
        ended = self._buffer[:at].endswith(b"\x1c")
        dropped = Dropped(Oddity.UNENDED if ended else Oddity.RESTARTED, self._skipped + at)
        self._outside(at + 1)
        self._inside = True
        return dropped

    def _frame(self, end: int) -> Frame:
        size = self._skipped + end
        head = self._head or bytes(self._buffer[: end if size <= self._largest else self._head_size])
        self._outside(end + len(END))
        return Frame(head, size)

    def _skip(self) -> None:
        """Drop the bytes of a frame that is too long, but for the last: END or a header may begin there."""
        if not self._skipped:
            self._head = bytes(self._buffer[: self._head_size])
        gone = max(0, len(self._buffer) - _LOOKED_AT)
        self._skipped += gone
        del self._buffer[:gone]
        self._scanned = max(0, self._scanned - gone)

    def _outside(self, taken: int) -> None:
        del self._buffer[:taken]
        self._inside, self._scanned, self._skipped, self._head = False, 0, 0, b""


def framed(content: bytes) -> bytes:
    """Return the content as one frame."""
    return START + content + END
