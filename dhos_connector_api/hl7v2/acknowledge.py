"""The acknowledgement: MSH, MSA and, where something is to be said, ERR, in the sender's own terms.

HL7 v2 chapter 2.
"""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from datetime import datetime

from dhos_connector_api.hl7v2.build import escape, header, segment, timestamp, with_header_fields
from dhos_connector_api.hl7v2.charsets import table_name
from dhos_connector_api.hl7v2.delimiters import STANDARD, Delimiters
from dhos_connector_api.hl7v2.escapes import unescape
from dhos_connector_api.hl7v2.read import Defect, Message
from dhos_connector_api.hl7v2.rules import Code, Verdict

#: Table 0357, message error condition codes.
ERROR_NAMES = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "205": "Duplicate key identifier",
    "207": "Application internal error",
}

Version = tuple[int, ...]

_STRUCTURED: Version = (2, 3, 1)  # from here on MSH-9 has a structure, and errors are of table 0357
_DETAILED: Version = (2, 5)  # from here on ERR has ERR-2 to ERR-8, and MSA-3 is not used
_NEWEST: Version = (99,)


def acknowledge(message: Message, verdict: Verdict, *, control_id: str, now: datetime) -> bytes:
    """Return the answer to a message, as bytes in its character set; each segment ends in CR.

    In: what was read, what was decided, MSH-10 of the answer, the aware time for its MSH-7. The
    sender's delimiters are used where they are usable, the standard ones else; a UTF-16 sender gets
    UTF-16 with a byte order mark. What is echoed cannot become a segment: control characters are
    escaped. Never raises for any message.
    """
    marks = _marks(message)
    version = _version(message.version)
    lines = [_msh(message, marks, version, control_id, now), _msa(message, marks, version, verdict)]
    if verdict.error or (verdict.text and version >= _DETAILED):
        lines.append(_err(verdict, marks, version))
    return "".join([line + "\r" for line in lines]).encode(message.charset, "replace")


def frameable(ack: bytes) -> bytes:
    """Return an acknowledgement as MLLP can carry it: UTF-16, whose bytes may be the frame's, as UTF-8."""
    if not ack.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return ack
    return with_header_fields(ack.decode("utf-16"), {18: table_name("utf-8")}).encode()


def refuse_unreadable(code: Code, *, control_id: str, now: datetime) -> bytes:
    """Return the answer to bytes that hold no MSH, where silence would block a feed: MSA-2 is empty.

    In ASCII, in the layout of v2.3, whose MSA-3 has room for the reason.
    """
    msh = header(*("",) * 4, timestamp(now), "", "ACK", control_id, "P", "2.3")
    msa = segment("MSA", code, "", "No MSH segment can be read.")
    return f"{msh}\r{msa}\r".encode("ascii")


def _marks(message: Message) -> Delimiters:
    """The sender's delimiters, made up to five; the standard ones where its own cannot be trusted.

    Where bytes did not fit the character set, a delimiter above 7F is another one to the sender.
    """
    marks = message.delimiters
    foreign = not (marks.field + marks.encoding).isascii()
    if Defect.DELIMITERS in message.defects or (foreign and Defect.INVALID_CHARACTERS in message.defects):
        return STANDARD
    return marks.completed()


def _msh(message: Message, marks: Delimiters, version: Version, control_id: str, now: datetime) -> str:
    """MSH: sender and receiver swapped; MSH-11, 12 and 18 as they came."""
    kind = "ACK"
    if version >= _STRUCTURED and (trigger := message.trigger):
        kind = marks.component.join(("ACK", escape(trigger, marks), "ACK"))
    echoed = {field: _echo(message, field, marks) for field in (3, 4, 5, 6, 11, 12, 18)}
    return header(
        *(echoed[field] for field in (5, 6, 3, 4)),
        timestamp(now),
        "",
        kind,
        escape(control_id, marks),
        echoed[11],
        echoed[12],
        *("",) * 5,
        echoed[18] if echoed[18].isascii() else table_name(message.charset),
        delimiters=marks,
    )


def _msa(message: Message, marks: Delimiters, version: Version, verdict: Verdict) -> str:
    """MSA: the code, the sender's MSH-10, and for versions whose ERR has no room for it, the text."""
    text = escape(verdict.text, marks) if verdict.text and version < _DETAILED else ""
    return segment("MSA", verdict.code, _echo(message, 10, marks), text, delimiters=marks)


def _err(verdict: Verdict, marks: Delimiters, version: Version) -> str:
    """ERR in the layout of the sender's version: before 2.5 all in ERR-1, then in ERR-2 to ERR-8.

    What is only to be known has the severity I (table 0516).
    """
    error = verdict.error or "0"
    name = escape(ERROR_NAMES[error], marks)
    location = (verdict.location or "").split("^")
    if version >= _DETAILED:
        where = marks.component.join(location)
        what = marks.component.join((error, name, "HL70357"))
        text = escape(verdict.text or "", marks)
        severity = "E" if verdict.error else "I"
        return segment("ERR", "", where, what, severity, "", "", "", text, delimiters=marks)
    what = error
    if version >= _STRUCTURED:
        what = marks.subcomponent.join((error, name, "HL70357"))
    place = [*location, "", ""][:3]
    return segment("ERR", marks.component.join((*place, what)), delimiters=marks)


def _echo(message: Message, field: int, marks: Delimiters) -> str:
    """A field of the sender's MSH for the answer: as it stands where safe, else taken apart and escaped."""
    raw = message.msh.raw(field)
    if raw.isprintable() and (marks is message.delimiters or marks == message.delimiters):
        return raw
    if field == 10:  # noqa: PLR2004  MSH-10 is a plain string (ST)
        return escape(message.msh.text(field), marks)
    return marks.repetition.join(
        [_components(message, repetition, marks) for repetition in message.msh.repetitions(field)]
    )


def _components(message: Message, repetition: str, marks: Delimiters) -> str:
    """One repetition, its text unescaped from the sender's delimiters and escaped for the answer's."""
    theirs = message.delimiters
    components = repetition.split(theirs.component)
    return marks.component.join(
        [
            marks.subcomponent.join(
                [
                    escape(unescape(text, theirs, message.charset), marks)
                    for text in (component.split(theirs.subcomponent) if theirs.subcomponent else [component])
                ]
            )
            for component in components
        ]
    )


def _version(text: str) -> Version:
    """`2.3.1` -> (2, 3, 1); the newest when it is missing or no version, since then any layout may do."""
    parts = text.split(".")[:4]
    if not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):  # noqa: PLR2004
        return _NEWEST
    return tuple([int(part) for part in parts])
