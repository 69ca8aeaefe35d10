"""HL7 dates and times (TS, DTM, DT; HL7 v2 chapter 2A): what was said, to the precision it was said."""

import re
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta, timezone, tzinfo
from enum import IntEnum
from functools import lru_cache

_LONGEST = 64  # no time stamp is longer; anything beyond is not read at all
_STAMP = re.compile(r"([0-9]{4,14})(?:[.,]([0-9]+))? ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?")
#: ISO 8601 with its dashes and colons, or with slashes: whatever begins with the year has one reading.
_ISO = re.compile(
    r"([0-9]{4})([-/]?)([0-9]{2})(?:\2([0-9]{2})"
    r"(?:[Tt ]([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?)?)?)?"
    r" ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_DAY_MINUTES = 24 * 60
_HOURS_ALONE = 3  # characters of +01
#: What happens to patients lies between 1 January 1900 and 6 June 2079, which SQL Server writes where it
#: holds no date; other fillers lie beyond (those of .NET and OLE, 2199, 2999, 9999), and only Unix's within.
_FIRST_DAY, _LAST_DAY = date(1900, 1, 2), date(2079, 6, 5)
_UNIX = date(1970, 1, 1)


class Precision(IntEnum):
    """The part of a time stamp that was given. The value is the number of digits before the fraction."""

    YEAR = 4
    MONTH = 6
    DAY = 8
    HOUR = 10
    MINUTE = 12
    SECOND = 14
    FRACTION = 15


_PRECISIONS = {int(precision): precision for precision in Precision}


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A moment as a sender gave it: `value` (aware) begins the period, `precision` is its length.

    `has_offset`: it came with an offset of its own.
    """

    value: datetime
    precision: Precision
    has_offset: bool = False

    def iso(self) -> str | None:
        """Return `2017-07-31T14:13:00.000Z`, or with the offset as given; a date is its local midnight.

        None for a year or a month alone: these are never filled up with the first day.
        """
        if self.precision < Precision.DAY:
            return None
        return written(self.value)

    def date_iso(self) -> str | None:
        """Return `1982-03-05`, the date as it was written; None when the day was not given."""
        return self.value.date().isoformat() if self.precision >= Precision.DAY else None


def is_filler(day: date) -> bool:
    """Return whether that day stands for none, as databases write it: nobody is admitted or dies on it."""
    return not _FIRST_DAY <= day <= _LAST_DAY or day == _UNIX


def written(at: datetime) -> str:
    """Return an aware moment in ISO 8601 with milliseconds and its offset: `Z` for that of UTC."""
    text = at.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def instant(at: datetime) -> str:
    """Return an aware moment in ISO 8601 in UTC with milliseconds, `2017-07-31T14:13:00.000Z`."""
    return written(at.astimezone(UTC))


def parse(text: str, zone: tzinfo) -> Timestamp | None:
    """Return `YYYY[MM[DD[HH[MM[SS[.S..]]]]]][+/-ZZZZ]` read; None for what has no reading, or two.

    Read too, as one reading is possible: `Z`, ISO 8601 (`2017-07-31T14:13:00.1+01:00`, with a blank
    for the T, with slashes), any number of digits of a second (microseconds are kept). Behind an hour an
    offset may be `+01`; behind a year or a month none begins with a dash.
    In: the first component of a TS field, the zone of times without an offset. A local time that a
    clock change skips keeps the offset from before it (01:30 becomes 02:30 summer time); one that
    occurs twice is the first. Never raises.
    """
    return _parse(text.strip(), zone) if len(text) <= _LONGEST else None


@lru_cache(maxsize=1024)  # a message says the same time in several places
def _parse(text: str, zone: tzinfo) -> Timestamp | None:
    found = _STAMP.fullmatch(text)
    if found and _is_offset(found[3] or "", found[1]):
        digits, fraction, offset = found.groups()
    elif iso := _ISO.fullmatch(text):
        year, _, *rest, fraction, offset = iso.groups()
        digits = year + "".join(filter(None, rest))
        if offset and len(digits) < Precision.HOUR:
            return None  # 202603-01 may be a day
    else:
        return None
    precision = _PRECISIONS.get(len(digits) + (fraction is not None))
    if precision is None or (fraction is not None) != (precision is Precision.FRACTION):
        return None  # only seconds have a fraction
    try:
        value = _moment(digits, fraction or "", _zone(offset) if offset else zone)
    except (ValueError, OverflowError):
        return None
    return Timestamp(value, precision, has_offset=bool(offset))


def _is_offset(offset: str, digits: str) -> bool:
    """Whether that, or nothing, is an offset behind these digits.

    Behind less than an hour there may be two readings: 2026-0701 is a day to some, 20260701-01 an hour.
    """
    if len(digits) >= Precision.HOUR:
        return True
    return len(offset) != _HOURS_ALONE and (not offset.startswith("-") or len(digits) == Precision.DAY)


def _moment(digits: str, fraction: str, zone: tzinfo) -> datetime:
    """The beginning of the period, in the zone. Raises ValueError or OverflowError when there is none."""
    local = datetime(
        *(int(digits[:4]), int(digits[4:6] or 1), int(digits[6:8] or 1)),
        *(int(digits[8:10] or 0), int(digits[10:12] or 0), int(digits[12:14] or 0)),
        int(fraction[:6].ljust(6, "0")) if fraction else 0,
        tzinfo=zone,
    )
    offset = local.utcoffset() or timedelta()
    seconds = offset % timedelta(minutes=1)
    plain = offset == local.replace(fold=1).utcoffset() and not seconds  # neither skipped nor twice
    if plain and MINYEAR < local.year < MAXYEAR:
        return local
    if seconds:  # before standard time; ISO 8601 offsets have no seconds
        local = local.replace(tzinfo=timezone(offset - seconds))
    return local.astimezone(UTC).astimezone(local.tzinfo)


def _zone(offset: str) -> tzinfo:
    """The fixed zone of `+hhmm`, `+hh:mm`, `+hh` or `Z`. Raises ValueError when it is a day or more."""
    if offset in {"Z", "z"}:
        return UTC
    of_hour = int(offset[3:].lstrip(":") or 0)
    minutes = int(offset[1:3]) * 60 + of_hour
    if of_hour >= 60 or minutes >= _DAY_MINUTES:  # noqa: PLR2004
        raise ValueError("no such offset")
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
