"""Reading an HL7 v2 message: split once into segments, into fields on demand, never failing on what it finds.

HL7 v2 chapter 2. Every function here takes time in proportion to the length of what it is given.
"""

from codecs import BOM_UTF8
from collections.abc import Sequence
from datetime import UTC, date, tzinfo
from enum import Enum
from functools import lru_cache

from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2.charsets import decode, decode_utf16, is_declared
from dhos_connector_api.hl7v2.datetimes import Precision, parse
from dhos_connector_api.hl7v2.delimiters import choose, usable
from dhos_connector_api.hl7v2.escapes import unescape
from dhos_connector_api.hl7v2.headers import is_header
from dhos_connector_api.hl7v2.segment import DELETE, Repetition, Segment

__all__ = ["DELETE", "Defect", "Message", "Repetition", "Segment", "read", "read_text", "unescape"]

#: Lines of a message that are taken apart; a message of more is refused (`rules`).
MOST_LINES = 20_000
_BATCH = frozenset({"FHS", "BHS", "BTS", "FTS"})
#: Segments of ADT messages, which may stand as their names alone; other such lines are text, such as YES.
_BARE = frozenset(
    (
        *("EVN", "PID", "PD1", "ROL", "NK1", "PV1", "PV2", "MRG", "DB1", "OBX", "NTE", "AL1", "IAM", "DG1"),
        *("DRG", "PR1", "GT1", "IN1", "IN2", "IN3", "ACC", "UB1", "UB2", "PDA"),
    )
)
_NAME = 3  # characters in a segment's name
_BLOCK_START, _BLOCK_END = "\x0b", "\x1c"  # MLLP
_BEFORE = " \t\r\n\f\ufeff" + _BLOCK_START
_AFTER = "\r\n" + _BLOCK_START + _BLOCK_END


class Defect(Enum):
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
    """

    __slots__ = (
        *("_by_name", "_in_order", "_made"),
        *("charset", "declared", "defects", "delimiters", "lines", "msh", "received_on", "text"),
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
        header = next(line for line in lines if line[:_NAME] == "MSH")
        self.text = text
        self.charset = charset
        self.declared = declared
        self.delimiters = choose(*_marks(header))
        self.lines = lines
        self.received_on = received_on
        self._by_name = _by_name(lines)
        self._made: dict[str, tuple[Segment, ...]] = {}
        self._in_order: tuple[Segment, ...] | None = None
        self.defects = defects | _defects(self.text, header, self._by_name)
        self.msh: Segment = self.all("MSH")[0]

    def first(self, name: str) -> Segment | None:
        """Return the first segment of that name, or None."""
        made = self.all(name)
        return made[0] if made else None

    def all(self, name: str) -> tuple[Segment, ...]:
        """Return every segment of that name, in order."""
        made = self._made.get(name)
        if made is None:
            lines = self._by_name.get(name, ())
            made = tuple([Segment(name, line, self.delimiters, self.charset) for line in lines])
            if lines:
                self._made[name] = made
        return made

    def segments(self) -> Sequence[Segment]:
        """Return every segment in order."""
        if self._in_order is None:
            left = {name: iter(self.all(name)) for name in self._by_name}
            self._in_order = tuple([next(left[line[:_NAME]]) for line in self.lines])
        return self._in_order

    @property
    def control_id(self) -> str:
        """Return MSH-10, the whole field; '' when absent or deleted."""
        return _present(self.msh.text(10))

    @property
    def message_code(self) -> str:
        """Return MSH-9.1, e.g. ADT."""
        return self.msh.once("message code", lambda: _present(self.msh.value(9)).strip())

    @property
    def trigger(self) -> str:
        """Return MSH-9.2, e.g. A01; where it is missing, EVN-1 (where v2.1 and some later senders put it)."""
        return self.msh.once("trigger", self._read_trigger)

    def _read_trigger(self) -> str:
        trigger = _present(self.msh.value(9, 2)).strip()
        if not trigger and (evn := self.first("EVN")):
            trigger = _present(evn.value(1)).strip()
        return trigger

    @property
    def event_code(self) -> str:
        """Return message code and trigger in one word, e.g. ADT_A01; without a trigger the code alone."""
        code, trigger = self.message_code, self.trigger
        return f"{code}_{trigger}" if code and trigger else code or trigger

    @property
    def sent_on(self) -> date | None:
        """Return the day of MSH-7 as the sender wrote it; where it is none, that on which it was received."""
        return self.msh.once("sent on", lambda: _day(self.msh.value(7)) or self.received_on)

    def zone(self, default: tzinfo) -> tzinfo:
        """Return the zone of times without an offset: that of MSH-7 (chapter 2, MSH-7), else `default`."""
        return self.msh.once("offset", lambda: _offset(self.msh.value(7))) or default

    @property
    def version(self) -> str:
        """Return MSH-12.1, e.g. 2.5.1."""
        return _present(self.msh.value(12)).strip()


def read(
    raw: bytes,
    *,
    default_charset: str = "utf-8",
    door_charset: str | None = None,
    received_on: date | None = None,
) -> Message:
    """Return one message read, whatever its line ends, frame, byte order mark, character set, delimiters.

    In: the bytes as received; the character set (Python's or table 0211's name) for a sender whose
    MSH-18 is empty and whose bytes are not UTF-8; the one its door names, which governs where MSH-18 is
    empty; the day they came. Raises UnreadableMessage when there is no MSH, and nothing else for any bytes.
    """
    raw = raw.lstrip(b" \t\r\n\f\x0b")
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        has_nul = False  # of these two bytes each may be 00; the text will show it
        declared: Sequence[str] = ()
        decoded = decode_utf16(raw)
    else:
        has_nul = b"\x00" in raw
        raw = raw.replace(b"\x00", b"") if has_nul else raw
        declared = _declared_charsets(raw, door_charset)
        decoded = decode(raw.removeprefix(BOM_UTF8), declared, default_charset)
    defects = set()
    if has_nul:
        defects.add(Defect.NUL)
    if not decoded.valid:
        defects.add(Defect.INVALID_CHARACTERS)
    if decoded.overruled:
        defects.add(Defect.CHARSET_OVERRULED)
    return read_text(
        decoded.text,
        charset=decoded.charset,
        defects=frozenset(defects),
        received_on=received_on,
        declared=tuple(declared),
    )


def read_text(
    text: str,
    *,
    charset: str,
    defects: frozenset[Defect] = frozenset(),
    received_on: date | None = None,
    declared: Sequence[str] = (),
) -> Message:
    """Return a message read from text, such as one a site's transformer has rewritten.

    In: the text, the Python codec its answer would be encoded with, what is known to be wrong with
    where it came from, the character sets declared there. Raises UnreadableMessage when there is no MSH.
    """
    if "\x00" in text:
        text = text.replace("\x00", "")
        defects |= {Defect.NUL}
    text = text.lstrip(_BEFORE).rstrip(_AFTER)
    lines, whole = _lines(text)
    defects = defects if whole else defects | {Defect.TOO_MANY_LINES}
    return Message(text, charset, lines, defects, received_on, declared)


def _declared_charsets(raw: bytes, door_charset: str | None) -> Sequence[str]:
    """By a byte order mark UTF-8; the repetitions of MSH-18, read before the message can be; the door's."""
    if raw.startswith(BOM_UTF8):
        return ["UTF-8"]
    try:
        glance = raw.decode()
    except UnicodeDecodeError:
        glance = raw.decode("latin-1")
    header = next(line for line in _lines(glance)[0] if line[:_NAME] == "MSH")
    field, encoding = _marks(header)
    marks = choose(field, encoding)
    fields = header.split(marks.field, 18)
    named = fields[17] if len(fields) > 17 else ""  # noqa: PLR2004
    declared = named.split(marks.repetition) if marks.repetition else [named]
    return declared if door_charset is None or any(map(is_declared, declared)) else [door_charset]


def _lines(text: str) -> tuple[list[str], bool]:
    """The lines that are segments: not blank, no indentation, no block start. Raises UnreadableMessage.

    A line that begins no segment continues the one before it. False: there are more lines than
    MOST_LINES, and what follows those is the last one as it stands.
    """
    plain = text.replace("\r\n", "\r").replace("\n", "\r").replace(_BLOCK_END, "\r")
    parts = plain.split("\r", MOST_LINES)
    lines = [kept for line in parts if (kept := line.lstrip(_BEFORE))]
    header = lines[0] if lines else ""
    if header[:_NAME] in _BATCH:
        header = next((line for line in lines if line[:_NAME] == "MSH"), "")
    if header[:_NAME] != "MSH":
        raise UnreadableMessage("The body holds no HL7 v2 message: its first segment is not MSH.")
    separator = _marks(header)[0]
    if not {line[: _NAME + 1] for line in lines} <= _usual(separator):  # in nearly every message they are
        lines = _segments(parts, separator)
    return lines, len(parts) <= MOST_LINES


@lru_cache(maxsize=64)
def _usual(separator: str) -> frozenset[str]:
    """How lines begin that are segments of ADT messages."""
    return frozenset([f"{name}{separator}" for name in (*_BARE, "MSH")])


def _segments(parts: list[str], separator: str) -> list[str]:
    """The lines, each with those behind it that continue it; a blank line counts where it stands within."""
    lines: list[list[str]] = []
    blank = 0
    for part in parts:
        line = part.lstrip(_BEFORE)
        if not line:
            blank += 1
            continue
        if not lines or begins_segment(line, separator):
            lines.append([line])
        else:
            lines[-1] += [*[""] * blank, part]
        blank = 0
    return [line[0] if len(line) == 1 else "\n".join(line) for line in lines]


def begins_segment(line: str, separator: str) -> bool:
    """Return whether a line begins a segment: three capitals or digits and the field separator.

    MSH and the segments of batches begin one whatever mark follows (`headers`).
    """
    name, mark = line[:_NAME], line[_NAME : _NAME + 1]
    if mark == separator and name.isalnum() and name.isascii() and name == name.upper():
        return True
    if not mark.strip() and len(line.rstrip()) == _NAME and (name in _BARE or name[0] == "Z"):
        return True
    return is_header(line)


def _marks(header: str) -> tuple[str, str]:
    """MSH-1 and MSH-2 of an MSH line. Raises UnreadableMessage when the line ends before them."""
    field = header[_NAME : _NAME + 1]
    if not field:
        raise UnreadableMessage("The MSH segment is empty.")
    return field, header[_NAME + 1 :].partition(field)[0]


def _by_name(lines: list[str]) -> dict[str, list[str]]:
    """The lines under their segment names."""
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(line[:_NAME], []).append(line)
    return found


def _defects(text: str, header: str, by_name: dict[str, list[str]]) -> set[Defect]:
    """The defects that show in the decoded text."""
    found = set()
    if len(by_name["MSH"]) > 1 or _BLOCK_END in text:
        found.add(Defect.SEVERAL_MESSAGES)
    if not _BATCH.isdisjoint(by_name):
        found.add(Defect.BATCH)
    if not usable(*_marks(header)):
        found.add(Defect.DELIMITERS)
    return found


def _day(text: str) -> date | None:
    """The day of a time stamp as it is written; None for none, or a month or year alone."""
    stamp = parse(text, UTC)
    return stamp.value.date() if stamp is not None and stamp.precision >= Precision.DAY else None


def _offset(text: str) -> tzinfo | None:
    """The offset that a time stamp was written with; None for none."""
    stamp = parse(text, UTC)
    return stamp.value.tzinfo if stamp is not None and stamp.has_offset else None


def _present(value: str) -> str:
    """The value, or '' when it asks for deletion."""
    return "" if value == DELETE else value
