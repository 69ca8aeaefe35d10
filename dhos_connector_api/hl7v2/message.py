"""A message as it was read: its segments by name and in order, and what its header says.

HL7 v2 chapter 2. Fields are read on demand, and nothing here fails on what it finds.
"""

from collections.abc import Sequence
from datetime import UTC, date, tzinfo
from enum import StrEnum

from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2.datetimes import Precision, Timestamp, parse
from dhos_connector_api.hl7v2.delimiters import choose, usable
from dhos_connector_api.hl7v2.segment import DELETE, Segment

#: The headers and trailers of a batch.
BATCH = frozenset({"FHS", "BHS", "BTS", "FTS"})
#: Characters in a segment's name; the end block of MLLP.
NAME, BLOCK_END = 3, "\x1c"


class Defect(StrEnum):
    """A fault of a message as a whole; `rules` says how each one is answered."""

    INVALID_CHARACTERS = "bytes do not fit the character set"
    CHARSET_OVERRULED = (
        "an 8859 or ASCII is declared, and the bytes are UTF-8 (read as such, and no fault otherwise)"
    )
    NUL = "NUL characters (left out of the text)"
    DELIMITERS = "MSH-1 and MSH-2 do not tell the parts apart"
    SEVERAL_MESSAGES = "more than one MSH, or text after an MLLP end block"
    BATCH = "a file or batch header or trailer"
    TOO_MANY_LINES = "more lines than are taken apart (the rest is one of `lines`)"


class Message:
    """A message as read.

    `text` is what was decoded, without frame and NULs; `charset` the Python codec it was decoded with;
    `lines` its segments as they stand, blank lines between them left out, with LF at the end of each line
    that the next one continues; `msh` the (first) MSH segment; `received_on` the day it came, None where that
    is nothing to it; `declared` the character sets it came with: MSH-18 as it was sent, else its door's.
    `message_code` is MSH-9.1, e.g. ADT; `trigger` MSH-9.2, e.g. A01, where that is missing EVN-1; `sent_on`
    the day of MSH-7 as the sender wrote it, where that is none `received_on`.
    """

    __slots__ = (
        *("_by_name", "_in_order", "_made", "_offset"),
        *("charset", "declared", "defects", "delimiters", "lines", "message_code", "msh", "received_on"),
        *("sent_on", "text", "trigger"),
    )

    def __init__(
        self,
        text: str,
        charset: str,
        lines: list[str],
        defects: frozenset[Defect],
        received_on: date | None = None,
        declared: Sequence[str] = (),
    ) -> None:
        header = next(line for line in lines if line[:NAME] == "MSH")
        self.text = text
        self.charset = charset
        self.declared = declared
        self.delimiters = choose(*marks(header))
        self.lines = lines
        self.received_on = received_on
        self._by_name = _by_name(lines)
        self._made: dict[str, tuple[Segment, ...]] = {}
        self._in_order: tuple[Segment, ...] | None = None
        self.defects = defects | _defects(self.text, header, self._by_name)
        self.msh: Segment = self.all("MSH")[0]
        self.message_code = _present(self.msh.value(9)).strip()
        self.trigger = _present(self.msh.value(9, 2)).strip() or self._trigger_of_event()
        stamp = parse(self.msh.value(7), UTC)
        self.sent_on = _day(stamp) or received_on
        self._offset = stamp.value.tzinfo if stamp is not None and stamp.has_offset else None

    def first(self, name: str) -> Segment | None:
        """Return the first segment of that name, or None."""
        made = self.all(name)
        return made[0] if made else None

    def all(self, name: str) -> tuple[Segment, ...]:
        """Return every segment of that name, in order."""
        made = self._made.get(name)
        if made is None:
            if name not in self._by_name:
                return ()
            lines = self._by_name[name]
            made = tuple([Segment(name, line, self.delimiters, self.charset) for line in lines])
            self._made[name] = made
        return made

    def segments(self) -> Sequence[Segment]:
        """Return every segment in order."""
        if self._in_order is None:
            left = {name: iter(self.all(name)) for name in self._by_name}
            self._in_order = tuple([next(left[line[:NAME]]) for line in self.lines])
        return self._in_order

    @property
    def control_id(self) -> str:
        """Return MSH-10, the whole field; '' when absent or deleted."""
        return _present(self.msh.text(10))

    def _trigger_of_event(self) -> str:
        """EVN-1, where v2.1 and some later senders put the trigger."""
        evn = self.first("EVN")
        return _present(evn.value(1)).strip() if evn else ""

    @property
    def event_code(self) -> str:
        """Return message code and trigger in one word, e.g. ADT_A01; without a trigger the code alone."""
        code, trigger = self.message_code, self.trigger
        return f"{code}_{trigger}" if code and trigger else code or trigger

    def zone(self, default: tzinfo) -> tzinfo:
        """Return the zone of times without an offset: that of MSH-7 (chapter 2, MSH-7), else `default`."""
        return self._offset or default

    @property
    def version(self) -> str:
        """Return MSH-12.1, e.g. 2.5.1."""
        return _present(self.msh.value(12)).strip()


def marks(header: str) -> tuple[str, str]:
    """Return MSH-1 and MSH-2 of an MSH line. Raises UnreadableMessage when the line ends before them."""
    field = header[NAME : NAME + 1]
    if not field:
        raise UnreadableMessage("The MSH segment is empty.")
    return field, header[NAME + 1 :].partition(field)[0]


def _by_name(lines: list[str]) -> dict[str, list[str]]:
    """The lines under their segment names."""
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(line[:NAME], []).append(line)
    return found


def _defects(text: str, header: str, by_name: dict[str, list[str]]) -> set[Defect]:
    """The defects that show in the decoded text."""
    found = set()
    if len(by_name["MSH"]) > 1 or BLOCK_END in text:
        found.add(Defect.SEVERAL_MESSAGES)
    if not BATCH.isdisjoint(by_name):
        found.add(Defect.BATCH)
    if not usable(*marks(header)):
        found.add(Defect.DELIMITERS)
    return found


def _day(stamp: Timestamp | None) -> date | None:
    """The day of a time stamp as it is written; None for none, or a month or year alone."""
    return stamp.value.date() if stamp is not None and stamp.precision >= Precision.DAY else None


def _present(value: str) -> str:
    """The value, or '' when it asks for deletion."""
    return "" if value == DELETE else value
