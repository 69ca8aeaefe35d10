"""Text without what nobody can read: control characters, and what other software left in it (pure)."""

import unicodedata

_BLANK = frozenset({"Cc", "Zl", "Zp"})  # control characters (also C1), line and paragraph separators
_GONE = frozenset({"Co", "Cn"})  # private use, and what is no character
_BYTE_ORDER_MARK = "\ufeff"


def readable(text: str) -> str:
    """Return `text` with single blanks for control characters, without private-use ones, trimmed.

    Private-use characters have no meaning outside the system that made them up: they are left from a font
    or character set of its own, as is a byte order mark inside a text. Marks that join or direct
    letters (ZWNJ, RLM) are part of how a name is written, and stay.
    """
    if text.isprintable():
        return text.strip()
    table = {ord(_BYTE_ORDER_MARK): ""}
    for each in set(text):
        kind = unicodedata.category(each)
        if kind in _BLANK or kind in _GONE:
            table[ord(each)] = " " if kind in _BLANK else ""
    kept = text.translate(table)
    return " ".join(kept.split()) if " " in table.values() else kept.strip()
