"""From bytes to text: which character set a message is in (MSH-18, HL7 table 0211), and decoding by it."""

import codecs
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
} | {
    f"{prefix}8859{part}": f"iso8859_{part}"
    for prefix in ("", "ISO")
    for part in range(1, 17)
    if part != 12  # noqa: PLR2004  ISO/IEC 8859-12 was never published
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message as text, the Python codec that made it, and whether all bytes fitted it."""

    text: str
    charset: str
    valid: bool


def codec_named(name: str) -> str | None:
    """Return the Python codec for a name of table 0211 (or a usual spelling of one); None if there is none.

    UTF-16 is not among them: it is known by its byte order mark alone.
    """
    return _CODECS.get(name.upper().translate(_DROPPED)) if len(name) < 40 else None  # noqa: PLR2004


def table_name(codec: str) -> str:
    """Return the name in table 0211 of a codec a message was decoded with."""
    if codec.startswith("iso8859_"):
        return codec.replace("iso8859_", "8859/")
    return {"utf-8": "UNICODE UTF-8", "utf-16": "UNICODE UTF-16", "ascii": "ASCII"}.get(codec, "8859/1")


def decode_utf16(raw: bytes) -> Decoded:
    """Return the text of bytes that begin with a UTF-16 byte order mark."""
    try:
        return Decoded(raw.decode("utf-16"), "utf-16", valid=True)
    except UnicodeDecodeError:
        return Decoded(raw.decode("utf-16", "replace"), "utf-16", valid=False)


def decode(raw: bytes, declared: list[str], default_charset: str) -> Decoded:
    """Return the text by the first declared character set that fits; if none is known, UTF-8 or the site's.

    In: the bytes, the repetitions of MSH-18, a codec or table 0211 name. Where nothing fits, every
    byte becomes the Latin-1 character of its number, so that MSH can be read and its bytes echoed.
    """
    known = [codec for codec in map(codec_named, declared) if codec]
    candidates = known or ["utf-8", codec_named(default_charset) or "utf-8"]
    if raw.isascii():
        return Decoded(raw.decode("ascii"), candidates[0], valid=True)
    for codec in candidates:
        try:
            return _decode_by(codec, raw)
        except UnicodeDecodeError:
            continue
    return Decoded(raw.decode("latin-1"), "latin-1", valid=False)


def _decode_by(codec: str, raw: bytes) -> Decoded:
    """Decode strictly; 8859/1 with bytes 80 to 9F is Windows-1252 in truth. Raises UnicodeDecodeError."""
    text = codecs.decode(raw, codec)
    if codec == "iso8859_1" and any("\x80" <= character <= "\x9f" for character in set(text)):
        return Decoded(codecs.decode(raw, "cp1252"), "cp1252", valid=True)
    return Decoded(text, codec, valid=True)
