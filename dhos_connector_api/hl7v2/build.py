"""Writing HL7 v2: escaped text, segments, the MSH header and time stamps (HL7 v2 chapters 2 and 2A)."""

from datetime import datetime
from functools import lru_cache

from dhos_connector_api.hl7v2.delimiters import STANDARD, Delimiters


@lru_cache(maxsize=64)
def _escapes(delimiters: Delimiters) -> dict[int, str]:
    """Each character that must not stand in text -> its escape sequence."""
    mark = delimiters.escape
    names = {
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        delimiters.truncation: "P",
        mark: "E",
    }
    table = {number: f"{mark}X{number:02X}{mark}" for number in (*range(32), 127)}
    named = {character: f"{mark}{name}{mark}" for character, name in names.items() if character}
    return table | {ord(character): sequence for character, sequence in named.items()}


def escape(text: str, delimiters: Delimiters = STANDARD) -> str:
    r"""The text as it may stand in a field: delimiters as \F\, \S\ ..., control characters as \Xhh\.

    The delimiters must be complete (`Delimiters.completed`). What comes out holds no CR and no LF.
    """
    return text if text.isalnum() else text.translate(_escapes(delimiters))


def segment(name: str, *fields: str, delimiters: Delimiters = STANDARD) -> str:
    """One segment without its CR, from fields already escaped, the first being number 1.

    Empty fields at the end are dropped.
    """
    return delimiters.field.join((name, *fields)).rstrip(delimiters.field)


def header(*fields: str, delimiters: Delimiters = STANDARD) -> str:
    """The MSH segment without its CR; the first of the fields is MSH-3."""
    return segment("MSH", delimiters.encoding, *fields, delimiters=delimiters)


def timestamp(moment: datetime) -> str:
    """An aware moment as `YYYYMMDDHHMMSS.mmm+ZZZZ` (type DTM): 23 characters."""
    return f"{moment:%Y%m%d%H%M%S}.{moment.microsecond // 1000:03}{moment:%z}"[:23]
