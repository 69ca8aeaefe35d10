"""From bytes to text: which character set a message is in (MSH-18, HL7 table 0211), and decoding by it."""

import codecs
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

_DROPPED = str.maketrans("", "", " -_/")

#: Table 0211 and what senders write instead, without spaces, hyphens and slashes, in capitals.
_CODECS: dict[str, str] = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "CP1252": "cp1252",
    "WINDOWS1252": "cp1252",
    "LATIN1": "iso8859_1",
    "GB18030": "gb18030",
    "GB180302000": "gb18030",
    "GB180302005": "gb18030",
    "GB180302022": "gb18030",
} | {
    f"{prefix}8859{part}": f"iso8859_{part}"
    for prefix in ("", "ISO")
    for part in range(1, 17)
    if part != 12  # noqa: PLR2004  ISO/IEC 8859-12 was never published
}

_TABLE_NAMES = {
    "utf-8": "UNICODE UTF-8",
    "utf-16": "UNICODE UTF-16",
    "ascii": "ASCII",
    "gb18030": "GB 18030-2000",
}
#: Character sets of one byte a character, which fit nearly any bytes or, as ASCII, are a part of UTF-8.
_ONE_BYTE = frozenset(
    ("ascii", "cp1252", *(codec for codec in _CODECS.values() if codec.startswith("iso8859")))
)
#: Characters of a name that may be known, and of one that may be shown.
_LONGEST_NAME, _LONGEST_SHOWN = 40, 20
#: What is shown begins as character sets do, and goes on with few digits and what stands in their names.
_SHOWN = re.compile(
    r"(?:x[-_])?(?:8859|ANSI|ASCII|BIG|CNS|CP|EBCDIC|EUC|GBK?|HZ|IBM|ISO|JAS|JIS|KOI|KSC?|LATIN|MACROMAN"
    r"|(?:SHIFT[-_ ]?|S)JIS|TIS|TSCII|UCS|UNICODE|UTF|VISCII|WINDOWS)"
    r"(?:[ ._/-]?(?:IR|X|C|CN|JP|KR|TW|HKSCS|LE|BE|R|RU|U|UTF|UCS))?"
    r"(?:[ ._/-]?[A-Z]?[0-9]{1,5})?(?:[-_./:](?:[0-9]{1,4}|[A-Z]{1,2}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message as text, the Python codec that made it, and whether all bytes fitted it.

    `overruled`: the bytes are UTF-8, though 8859 or ASCII was declared.
    """

    text: str
    charset: str
    valid: bool
    overruled: bool = False


def codec_named(name: str) -> str | None:
    """Return the Python codec for a name of table 0211 (or a usual spelling of one); None if there is none.

    UTF-16 is not among them: it is known by its byte order mark alone.
    """
    return _CODECS.get(name.upper().translate(_DROPPED)) if len(name) <= _LONGEST_NAME else None


def unknown_name(declared: Sequence[str]) -> str | None:
    """Return the first of the declared names where none is known; None where one is, or nothing is declared.

    One that does not look like that of a character set (`BIG-5`, `KS X 1001`), and may be anything, a
    patient's name too, is shown as nothing.
    """
    names = [name for name in declared if is_declared(name)]
    if not names or any(map(codec_named, names)):
        return None
    name = names[0]
    return name if len(name) <= _LONGEST_SHOWN and name.isascii() and _SHOWN.fullmatch(name) else ""


def is_declared(name: str) -> bool:
    """Return whether a repetition of MSH-18 names a character set, be it an unknown one."""
    return name.strip() not in {"", '""'}


def table_name(codec: str) -> str:
    """Return the name in table 0211 of a codec a message was decoded with."""
    if codec.startswith("iso8859_"):
        return codec.replace("iso8859_", "8859/")
    return _TABLE_NAMES.get(codec, "8859/1")


def decode_utf16(raw: bytes) -> Decoded:
    """Return the text of bytes that begin with a UTF-16 byte order mark."""
    try:
        return Decoded(raw.decode("utf-16"), "utf-16", valid=True)
    except UnicodeDecodeError:
        return Decoded(raw.decode("utf-16", "replace"), "utf-16", valid=False)


def decode(raw: bytes, declared: Sequence[str], default_charset: str) -> Decoded:
    """Return the text by the first declared character set that fits; where none is, by UTF-8 or the site's.

    In: the bytes, the repetitions of MSH-18, a codec or table 0211 name. UTF-8 is tried before a character
    set of one byte a character, and where none that is declared is known. Where nothing fits, every
    byte becomes the Latin-1 character of its number, so that MSH can be read and its bytes echoed.
    """
    known = [codec for codec in map(codec_named, declared) if codec]
    candidates = known or ["utf-8"]
    if not any(map(is_declared, declared)):
        candidates.append(codec_named(default_charset) or "utf-8")
    if raw.isascii():
        return Decoded(raw.decode("ascii"), candidates[0], valid=True)
    for codec in candidates:
        if codec in _ONE_BYTE:
            with suppress(UnicodeDecodeError):
                return Decoded(raw.decode(), "utf-8", valid=True, overruled="utf-8" not in candidates)
        with suppress(UnicodeDecodeError):
            return _decode_by(codec, raw)
    return Decoded(raw.decode("latin-1"), "latin-1", valid=False)


def _decode_by(codec: str, raw: bytes) -> Decoded:
    """Decode strictly; 8859/1 with bytes 80 to 9F is Windows-1252 in truth, if it can be.

    Raises UnicodeDecodeError.
    """
    text = codecs.decode(raw, codec)
    if codec == "iso8859_1" and any("\x80" <= character <= "\x9f" for character in set(text)):
        with suppress(UnicodeDecodeError):
            return Decoded(codecs.decode(raw, "cp1252"), "cp1252", valid=True)
    return Decoded(text, codec, valid=True)
