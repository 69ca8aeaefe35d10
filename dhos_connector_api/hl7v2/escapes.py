"""Escape sequences in text fields (HL7 v2 chapter 2, "Use of escape sequences in text fields")."""

from functools import lru_cache

from dhos_connector_api.hl7v2.delimiters import Delimiters


@lru_cache(maxsize=64)
def _meanings(delimiters: Delimiters) -> dict[str, str]:
    """The text of each escape sequence, by what stands between its two escape characters."""
    meanings = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "P": delimiters.truncation,
        ".br": "\n",
    }
    return {name: text for name, text in meanings.items() if text}


def unescape(text: str, delimiters: Delimiters, charset: str = "utf-8") -> str:
    r"""Return the text with its escape sequences replaced; unknown and unterminated ones stay as they are.

    Known are \F\ \S\ \T\ \R\ \E\ \P\, \.br\ (a line feed) and \Xhh..\ (bytes in `charset`, a Python
    codec; kept when they do not decode or hold NUL). So `ACME\SMITH` stays `ACME\SMITH`.
    """
    escape = delimiters.escape
    if not escape or escape not in text:
        return text
    meanings = _meanings(delimiters)
    parts = text.split(escape)
    out = [parts[0]]
    last = len(parts) - 1
    index = 1
    while index <= last:
        part = parts[index]
        meaning = meanings.get(part)
        if meaning is None and part[:1] == "X":
            meaning = _hexadecimal(part[1:], charset)
        if meaning is None or index == last:
            out += (escape, part)
            index += 1
        else:
            out += (meaning, parts[index + 1])
            index += 2
    return "".join(out)


def _hexadecimal(digits: str, charset: str) -> str | None:
    r"""The text of \Xhh..\; None when it is empty, not hexadecimal, does not decode, or holds NUL."""
    try:
        text = bytes.fromhex(digits).decode("utf-8" if charset == "utf-16" else charset)
    except ValueError:  # UnicodeDecodeError is one too
        return None
    return text if text and "\x00" not in text else None
