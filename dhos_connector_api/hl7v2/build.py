"""Writing HL7 v2: escaped text, segments, the MSH header and time stamps (HL7 v2 chapters 2 and 2A)."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from dhos_connector_api.hl7v2.delimiters import STANDARD, Delimiters
from dhos_connector_api.hl7v2.segment import DELETE

#: What separates fields and begins escapes; the separators inside a field are none of its business.
_FIELDS_ONLY = Delimiters(STANDARD.field, escape=STANDARD.escape)
#: Beyond ASCII, what some readers take for a line end or a control: C1 controls, U+2028 and U+2029.
_FURTHER_CONTROLS = {
    number: f"\\X{chr(number).encode().hex().upper()}\\" for number in (*range(0x80, 0xA0), 0x2028, 0x2029)
}
#: `""` alone would ask the receiver to delete what it holds.
_QUOTES = "\\X2222\\"
_MILLISECONDS = re.compile("%%|%L")


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
    r"""Return the text as it may stand in a field: delimiters as \F\, \S\ ..., control characters as \Xhh\.

    The delimiters must be complete (`Delimiters.completed`): one that is empty is not escaped. What
    comes out holds no CR and no LF.
    """
    return text if text.isalnum() else text.translate(_escapes(delimiters))


def utf8_component(text: str) -> str:
    r"""Return the text as a component, or a field of one component, of a message in UTF-8.

    As `escape` with the standard delimiters; besides, C1 controls, U+2028 and U+2029 become \Xhh..\
    of their UTF-8 bytes, and a text that is just `""` becomes \X2222\, for it asks to delete nothing.
    """
    return _QUOTES if text == DELETE else _without_controls(escape(text))


def utf8_field(text: str) -> str:
    r"""Return the text as a whole field of a message in UTF-8, whose own `^`, `~` and `&` stay what they are.

    Everything that could end the field or the segment, or begin an escape, is escaped.
    """
    return _without_controls(escape(text, _FIELDS_ONLY))


def _without_controls(text: str) -> str:
    return text if text.isascii() else text.translate(_FURTHER_CONTROLS)


def segment(name: str, *fields: str, delimiters: Delimiters = STANDARD) -> str:
    """Return one segment without its CR, from fields already escaped, the first being number 1.

    Empty fields at the end are dropped.
    """
    return delimiters.field.join((name, *fields)).rstrip(delimiters.field)


def numbered(name: str, fields: Mapping[int, str]) -> str:
    """Return one segment without its CR, from escaped fields by their HL7 numbers; the others are empty."""
    return segment(name, *(fields.get(number, "") for number in range(1, max(fields) + 1)))


def header(*fields: str, delimiters: Delimiters = STANDARD) -> str:
    """Return the MSH segment without its CR; the first of the fields is MSH-3."""
    return segment("MSH", delimiters.encoding, *fields, delimiters=delimiters)


def with_header_fields(text: str, values: Mapping[int, str]) -> str:
    """Return a message that begins with MSH, with other values in those MSH fields (from 3 on).

    The values are as they are to stand there, escaped where need be.
    """
    end = min([at for at in map(text.find, "\r\n") if at >= 0], default=len(text))
    separator = text[3]
    fields = text[:end].split(separator)
    fields += [""] * (max(values) - len(fields))
    for number, value in values.items():
        fields[number - 1] = value
    return separator.join(fields) + text[end:]


def timestamp(moment: datetime) -> str:
    """Return an aware moment as `YYYYMMDDHHMMSS.mmm+ZZZZ` (type DTM): 23 characters."""
    return f"{moment:%Y%m%d%H%M%S}.{moment.microsecond // 1000:03}{moment:%z}"[:23]


def formatted(moment: datetime, pattern: str) -> str:
    """Return an aware moment as the pattern says: that of `strftime`, with `%L` for milliseconds."""
    milliseconds = f"{moment.microsecond // 1000:03}"
    filled = _MILLISECONDS.sub(lambda found: milliseconds if found[0] == "%L" else found[0], pattern)
    return moment.strftime(filled)
