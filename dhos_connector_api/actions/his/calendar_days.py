"""Days that no calendar has, said in words (pure)."""

import re
from calendar import isleap, month_name, monthrange

_MONTHS = tuple(name[:3].upper() for name in month_name)
_SPELLINGS = (
    re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})(?![0-9])"),
    re.compile(r"(?P<day>[0-9]{1,2})-(?P<month>[A-Za-z]{3})-(?P<year>[0-9]{4})(?![0-9])"),
)
_LONGEST, _MONTHS_A_YEAR = 31, 12
_FEBRUARY, _LEAP_DAY, _A_LEAP_YEAR = 2, 29, 2024


def why_no_date(text: str, expected: str) -> str:
    """Return why a text is no date: a day that does not exist, where it is that; and what is expected."""
    day = no_such_day(text)
    return f"{day}; {expected}" if day else expected


def no_such_day(text: str) -> str | None:
    """Return `31 June does not exist` for a text that begins with such a day, however it is written.

    None for every other text. What is quoted is a day that nobody was born on.
    """
    found = next((match for each in _SPELLINGS if (match := each.match(text.strip()))), None)
    if found is None:
        return None
    year, day = int(found["year"]), int(found["day"])
    month = int(found["month"]) if found["month"].isdigit() else _named(found["month"])
    if not (1 <= month <= _MONTHS_A_YEAR and monthrange(_A_LEAP_YEAR, month)[1] < day <= _LONGEST):
        is_leap_day = (month, day) == (_FEBRUARY, _LEAP_DAY)
        return f"29 February does not exist in {year}" if is_leap_day and not isleap(year) else None
    return f"{day} {month_name[month]} does not exist"


def _named(name: str) -> int:
    return _MONTHS.index(name.upper()) if name.upper() in _MONTHS else 0
