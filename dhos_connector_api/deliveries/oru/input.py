"""An observation set as the platform sends it, read without trust: nulls, gaps and odd types.

No text of an error quotes what was sent; places are named as the specification names them.
"""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from dhos_connector_api.errors import BadInput

_LONGEST = 40  # no time stamp is longer
_ISO_CHARACTERS = re.compile(r"[0-9WTZ:.,+ -]+")
_EARLIEST_YEAR = 1000  # strftime writes earlier ones with fewer digits
_PARTIAL_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2})?")


class Part:
    """One object of the input, and the place it stands at. What is null counts as not there."""

    __slots__ = ("place", "values")

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        self.values = values
        self.place = place

    def given(self, name: str) -> bool:
        """Return whether the name has a value that is neither null nor an empty text."""
        return self.values.get(name) not in (None, "")

    def part(self, name: str) -> "Part":
        """Return the object under the name, an empty one for none. Raises BadInput for anything else."""
        value = self.values.get(name)
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise self._must_be("an object", name)
        return Part(value, f"{self.place}.{name}")

    def parts(self, name: str) -> list["Part"]:
        """Return the objects of the list under the name; none when there is no list. Raises BadInput."""
        values = self.values.get(name)
        if values is None:
            values = []
        if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
            raise self._must_be("a list of objects", name)
        return [Part(value, f"{self.place}.{name}[]") for value in values]

    def text(self, name: str) -> str:
        """Return the text under the name, a number as `whole` writes it, '' for nothing. Raises BadInput."""
        value = self.values.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else whole(self._finite(name, value, "a text"))

    def number(self, name: str) -> int | float | None:
        """Return the number under the name; None for nothing. Raises BadInput for anything else."""
        value = self.values.get(name)
        return None if value is None else self._finite(name, value, "a number")

    def _finite(self, name: str, value: Any, wanted: str) -> int | float:
        with suppress(OverflowError):  # an integer beyond any float
            if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
                return value
        raise self._must_be(wanted, name)

    def moment(self, name: str, zone: tzinfo) -> datetime | None:
        """Return the time under the name, in the zone; None for nothing.

        In: ISO 8601 (RFC 3339 and wider) with an offset or `Z`, of any precision from the day on; a
        time without an offset is local, a date is its local midnight. A local time that a clock
        change skips keeps the offset from before it; one that occurs twice is the first. Raises
        BadInput for everything else.
        """
        if not self.given(name):
            return None
        try:
            read = _iso(self.values[name])
            local = read if read.tzinfo else read.replace(tzinfo=zone)
            moment = local.astimezone(UTC).astimezone(zone)
        except (ValueError, OverflowError):
            raise self._must_be("a time in ISO 8601", name) from None
        if moment.year < _EARLIEST_YEAR:
            raise self._must_be("a time in ISO 8601", name)
        return moment

    def day(self, name: str) -> date | None:
        """Return the day under the name, as written; None for nothing, and for a year or a month alone.

        In: an ISO 8601 date, or a time, whose zone does not matter. Raises BadInput for anything else.
        """
        value = self.values.get(name)
        if not self.given(name) or (isinstance(value, str) and _PARTIAL_DATE.fullmatch(value)):
            return None
        try:
            return _iso(value).date()
        except ValueError:
            raise self._must_be("a date in ISO 8601", name) from None

    def _must_be(self, what: str, name: str) -> BadInput:
        return BadInput(f"{self.place}.{name}: must be {what}")


def _iso(value: Any) -> datetime:
    """The moment a text names, aware where it gives an offset. Raises ValueError."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError
    written = value.strip().upper()  # RFC 3339 has `t` and `z` too
    if not _ISO_CHARACTERS.fullmatch(written):
        raise ValueError
    return datetime.fromisoformat(written)


def as_is(number: float | None) -> str:
    """Return a number as it was written, never with an exponent (HL7 type NM); '' for none."""
    if number is None:
        return ""
    return str(number) if isinstance(number, int) else f"{Decimal(repr(number)):f}"


def whole(number: float | None) -> str:
    """Return a number as text, without decimals where the number is a whole one."""
    return as_is(number if number is None or number != int(number) else int(number))


def rounded(number: float | None) -> str:
    """Return a number as text, rounded to a whole number, half to even."""
    return as_is(None if number is None else round(number))
