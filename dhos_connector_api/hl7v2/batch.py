"""Batches: taking FHS/BHS ... BTS/FTS apart into messages, and putting their answers into such a batch.

HL7 v2 chapter 2, "Batch protocol": [FHS] { [BHS] { MSH ... } [BTS] } [FTS]. Headers and trailers name
no character set; here they pass through byte by byte, so that they come back as they were sent.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise

from dhos_connector_api.hl7v2.build import escape, segment, timestamp
from dhos_connector_api.hl7v2.delimiters import STANDARD, Delimiters, choose, usable
from dhos_connector_api.hl7v2.headers import BEHIND, INDENT
from dhos_connector_api.hl7v2.read import begins_segment
from dhos_connector_api.hl7v2.segment import Segment

#: Messages in one body; more are refused whole. Each is stored and answered by itself.
MOST_MESSAGES = 10_000
#: Segments that say how it is built: each message may stand in a batch of its own, within a file.
_MOST_PARTS = 3 * MOST_MESSAGES + 2
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n\f\x0b" + _BOM
#: Where a segment begins that says how a batch is built; the first one may have any mark.
_PART = re.compile(
    rb"(?:\A|[\r\n\x1c](?=" + INDENT + rb"[A-Z]{3}" + BEHIND + rb"))" + INDENT + rb"(FHS|BHS|MSH|BTS|FTS)"
)
#: In place: every frame is asked, and the largest would be copied.
_BEGINS = re.compile(rb"(?:[ \t\r\n\f\x0b]|\xef\xbb\xbf)*+(?:FHS|BHS)")
_INDENT = re.compile(INDENT)
_LINE = re.compile(rb"[^\r\n\x1c]*")
#: Without NUL: a message in UTF-16 is no text of a header.
_NEXT_LINE = re.compile(rb"[\r\n]++([^\r\n\x1c\0]++)(?!\0)")
_NO_CONTROLS = dict.fromkeys((*range(32), 127))


@dataclass(frozen=True, slots=True)
class Batch:
    """One BHS ... BTS; `header` and `trailer` are their lines, None where missing."""

    header: bytes | None
    messages: tuple[bytes, ...]
    trailer: bytes | None


@dataclass(frozen=True, slots=True)
class File:
    """All that came in one body: [FHS] { batch } [FTS]."""

    header: bytes | None
    batches: tuple[Batch, ...]
    trailer: bytes | None

    @property
    def messages(self) -> list[bytes]:
        """Return the messages of all batches, in order."""
        return [message for batch in self.batches for message in batch.messages]


def is_batch(raw: bytes) -> bool:
    """Return whether the bytes begin with a file or batch header."""
    return _BEGINS.match(raw) is not None


def is_too_large(raw: bytes) -> bool:
    """Return whether a batch has more messages or batches than are taken, without taking it apart."""
    parts = [found[1] for found in islice(_PART.finditer(raw), _MOST_PARTS + 1)]
    return len(parts) > _MOST_PARTS or parts.count(b"MSH") > MOST_MESSAGES


def split(raw: bytes) -> File:
    """Return a batch in its parts. Never fails: what is no message is handed on as one, to be refused."""
    header: bytes | None = None
    trailer: bytes | None = None
    batches: list[Batch] = []
    opened: bytes | None = None
    messages: list[bytes] = []

    def close(last: bytes | None) -> None:
        if opened is not None or messages or last is not None:
            batches.append(Batch(opened, tuple(messages), last))
        messages.clear()

    for name, line, rest in _parts(raw):
        if name == b"MSH":
            messages.append(line + rest)
            continue
        line, rest = _continued(line, rest)  # noqa: PLW2901
        if name in {b"FHS", b"BHS", b"FTS"}:
            close(None)
            opened = line if name == b"BHS" else None
            header = line if name == b"FHS" and header is None else header
            trailer = line if name == b"FTS" else trailer
        elif name == b"BTS":
            close(line)
            opened = None
        if rest.strip(_BLANK):
            messages.append(rest)
    close(None)
    return File(header, tuple(batches), trailer)


def _parts(raw: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name and line of every header, trailer and MSH, and what follows it up to the next one.

    A byte order mark before MSH is a part of the message: it says how that is read.
    """
    starts = [(found[1], _begin(raw, found.start(1))) for found in _PART.finditer(raw)]
    before = raw[: starts[0][1]] if starts else raw
    if before.strip(_BLANK):
        yield b"", b"", before
    for (name, start), (_, end) in pairwise([*starts, (b"", len(raw))]):
        line = _LINE.match(raw, start, end)
        stop = line.end() if line else start
        text = raw[start:stop]
        yield name, text if name == b"MSH" else text.removeprefix(_BOM), raw[stop:end]


def _begin(raw: bytes, name: int) -> int:
    """The place of a byte order mark directly before a segment's name, else that of the name."""
    return name - len(_BOM) if raw.endswith(_BOM, 0, name) else name


def _continued(line: bytes, rest: bytes) -> tuple[bytes, bytes]:
    """A header or trailer with the lines that continue it, and what is left behind these."""
    mark, end = line[3:4].decode("latin-1"), 0
    while (found := _NEXT_LINE.match(rest, end)) and not begins_segment(
        _INDENT.sub(b"", found[1], count=1).decode("latin-1"), mark
    ):
        end = found.end()
    return line + rest[:end], rest[end:]


def answer(file: File, acks: Sequence[bytes], *, control_id: str, now: datetime) -> bytes:
    """Return the acknowledgements, one for each message in order, as a batch of the shape that came.

    Headers answer field by field: sender and receiver swapped, `control_id` in field 11, the sender's
    own field 11 in field 12. Where BTS-1 or FTS-1 counts otherwise than we do, the comment of our
    trailer (BTS-2, FTS-2) says so.
    """
    left = iter(acks)
    parts: list[bytes] = []
    if file.header is not None:
        parts.append(_header("FHS", file.header, control_id, now))
    for batch in file.batches:
        marks = _marks(batch.header)
        parts.append(_header("BHS", batch.header or b"", control_id, now))
        parts += [next(left) for _ in batch.messages]
        count = len(batch.messages)
        remark = _remark("BTS", batch.header, batch.trailer, count, "messages")
        parts.append(_trailer("BTS", count, remark, marks))
    if file.header is not None:
        count = len(file.batches)
        remark = _remark("FTS", file.header, file.trailer, count, "batches")
        parts.append(_trailer("FTS", count, remark, _marks(file.header)))
    return b"".join(parts)


def _split_marks(line: bytes | None) -> tuple[str, str]:
    text = (line or b"").decode("latin-1")
    field = text[3:4]
    return field, text[4:].partition(field)[0] if field else ""


def _marks(line: bytes | None) -> Delimiters:
    """A header's own delimiters, completed; the standard ones where they cannot be used."""
    field, encoding = _split_marks(line)
    return choose(field, encoding).completed() if usable(field, encoding) else STANDARD


def _header(name: str, line: bytes, control_id: str, now: datetime) -> bytes:
    marks = _marks(line)
    field, encoding = _split_marks(line)
    theirs = Segment(name, line.decode("latin-1"), choose(field or "|", encoding or "^"), "latin-1")

    def echo(number: int) -> str:
        raw = theirs.raw(number).translate(_NO_CONTROLS)
        return raw if usable(field, encoding) else escape(raw, marks)

    swapped = [echo(number) for number in (5, 6, 3, 4)]
    fields = (*swapped, timestamp(now), "", "", "", escape(control_id, marks), echo(11))
    return _line(segment(name, marks.encoding, *fields, delimiters=marks))


def _trailer(name: str, count: int, remark: str, marks: Delimiters) -> bytes:
    return _line(segment(name, str(count), escape(remark, marks), delimiters=marks))


def _line(text: str) -> bytes:
    return text.encode("latin-1") + b"\r"


def _remark(name: str, header: bytes | None, trailer: bytes | None, count: int, what: str) -> str:
    """The remark on a trailer's count; '' where it is right, or where none was promised."""
    if trailer is None:
        return f"{name} is missing, {count} {what} came" if header is not None else ""
    marks = _marks(header)
    declared = Segment(name, trailer.decode("latin-1"), marks, "latin-1").value(1).strip()
    if not declared or (
        declared.isascii() and declared.isdigit() and declared.lstrip("0") == str(count or "")
    ):
        return ""
    return f"{name}-1 is wrong, {count} {what} came"
