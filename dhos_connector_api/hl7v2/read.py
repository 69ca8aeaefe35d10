"""Reading an HL7 v2 message: decoded, split once into segments, never failing on what it finds.

HL7 v2 chapter 2. Every function here takes time in proportion to the length of what it is given.
"""

from codecs import BOM_UTF8
from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2.charsets import decode, decode_utf16, is_declared
from dhos_connector_api.hl7v2.delimiters import choose
from dhos_connector_api.hl7v2.escapes import unescape
from dhos_connector_api.hl7v2.headers import is_header
from dhos_connector_api.hl7v2.message import BATCH, BLOCK_END, NAME, Defect, Message, marks
from dhos_connector_api.hl7v2.segment import DELETE, Repetition, Segment

__all__ = ["DELETE", "Defect", "Message", "Repetition", "Segment", "read", "read_text", "unescape"]

#: Lines of a message that are taken apart; a message of more is refused (`rules`).
MOST_LINES = 20_000
#: Segments of ADT messages, which may stand as their names alone; other such lines are text, such as YES.
_BARE = frozenset(
    (
        *("EVN", "PID", "PD1", "ROL", "NK1", "PV1", "PV2", "MRG", "DB1", "OBX", "NTE", "AL1", "IAM", "DG1"),
        *("DRG", "PR1", "GT1", "IN1", "IN2", "IN3", "ACC", "UB1", "UB2", "PDA"),
    )
)
_BLOCK_START = "\x0b"  # MLLP
_BEFORE = " \t\r\n\f\ufeff" + _BLOCK_START
_AFTER = "\r\n" + _BLOCK_START + BLOCK_END


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
    header = _header_at_once(glance) or next(line for line in _lines(glance)[0] if line[:NAME] == "MSH")
    field, encoding = marks(header)
    delimiters = choose(field, encoding)
    fields = header.split(delimiters.field, 18)
    named = fields[17] if len(fields) > 17 else ""  # noqa: PLR2004
    declared = named.split(delimiters.repetition) if delimiters.repetition else [named]
    return declared if door_charset is None or any(map(is_declared, declared)) else [door_charset]


def _header_at_once(text: str) -> str:
    """The first line, where it is a whole MSH: behind it a segment begins; else ''."""
    line, _, rest = text.partition("\r")
    if line[:NAME] != "MSH" or "\n" in line or BLOCK_END in line:
        return ""
    start = rest[: NAME + 2].lstrip("\n")[: NAME + 1]
    return line if _is_plain_start(start, line[NAME : NAME + 1]) else ""


def _lines(text: str) -> tuple[list[str], bool]:
    """The lines that are segments: not blank, no indentation, no block start. Raises UnreadableMessage.

    A line that begins no segment continues the one before it. False: there are more lines than
    MOST_LINES, and what follows those is the last one as it stands.
    """
    plain = text.replace("\r\n", "\r").replace("\n", "\r").replace(BLOCK_END, "\r")
    parts = plain.split("\r", MOST_LINES)
    lines = [kept for line in parts if (kept := line.lstrip(_BEFORE))]
    header = lines[0] if lines else ""
    if header[:NAME] in BATCH:
        header = next((line for line in lines if line[:NAME] == "MSH"), "")
    if header[:NAME] != "MSH":
        raise UnreadableMessage("The body holds no HL7 v2 message: its first segment is not MSH.")
    separator = marks(header)[0]
    unusual = {line[: NAME + 1] for line in lines} - _usual(separator)
    if unusual and not all(_is_plain_start(start, separator) for start in unusual):
        lines = _segments(parts, separator)
    return lines, len(parts) <= MOST_LINES


@lru_cache(maxsize=1024)
def _is_plain_start(start: str, separator: str) -> bool:
    """Whether the first four characters of a line say that it begins a segment, whatever follows."""
    return len(start) > NAME and start[NAME] == separator and begins_segment(start, separator)


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
    name, mark = line[:NAME], line[NAME : NAME + 1]
    if mark == separator and name.isalnum() and name.isascii() and name == name.upper():
        return True
    if not mark.strip() and len(line.rstrip()) == NAME and (name in _BARE or name[0] == "Z"):
        return True
    return is_header(line)
