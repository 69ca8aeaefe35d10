"""Dates of birth in the data of webhooks and integration events, which are published as they came (pure)."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from dhos_connector_api.actions.his.dates import day_of
from dhos_connector_api.hl7v2.births import FIRST_BIRTH, possible

#: Names of the field, without case and without anything but letters.
_FIELDS = frozenset(
    f"{whose}{what}" for whose in ("", "patient") for what in ("dob", "dateofbirth", "birthdate", "birthday")
)
#: A text that begins with a day, whatever follows it: `1405-9-16`, `14050916`, `0001-01-01T00:00:00+03:00`.
_BEGINS = re.compile(
    r"([0-9]{4})(?:"
    r"([-/.])(0?[0-9]|1[0-2])\2([0-2]?[0-9]|3[01])(?![0-9])"
    r"|(0[0-9]|1[0-2])([0-2][0-9]|3[01])(?=(?:[0-9]{2}){0,3}(?![0-9])))"
)
#: Digits of a number that is a day, or a day and a time; numbers of others count seconds or days.
_OF_NUMBERS = frozenset({8, 14})


def without_bad_births(data: Mapping[str, Any], today: date) -> dict[str, Any]:
    """Return the data, at any depth without dates of birth that no patient can have (`births.possible`).

    A list or object under such a name goes as a whole where one of its values is such a date. `today` is the
    day they came, in UTC. What is no date, as far as we can tell, stays as it is.
    """
    return {name: _without(value, today) for name, value in data.items() if not _is_bad(name, value, today)}


def bad_births(data: Mapping[str, Any], today: date) -> list[str]:
    """Return the names of what `without_bad_births` leaves out, in small letters alone, each once."""
    found: dict[str, None] = {}
    _find(data, today, found)
    return list(found)


def _find(value: Any, today: date, found: dict[str, None]) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if _is_bad(name, inner, today):
                found[_letters(name)] = None
            else:
                _find(inner, today, found)
    elif isinstance(value, list):
        for each in value:
            _find(each, today, found)


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name)).lower()


def _without(value: Any, today: date) -> Any:
    if isinstance(value, Mapping):
        return without_bad_births(value, today)
    return [_without(each, today) for each in value] if isinstance(value, list) else value


def _is_bad(name: str, value: Any, today: date) -> bool:
    return _letters(name) in _FIELDS and any(_is_impossible(each, today) for each in _leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(each)
    else:
        yield value


def _is_impossible(value: Any, today: date) -> bool:
    """Whether the value is a day on which no patient was born, as it is written, whatever its offset.

    The year alone may tell: 1405-02-30 is a day of the Hijri calendar, and 0000-00-00 one of MySQL.
    """
    text = str(value).strip()
    if not isinstance(value, str) and len(text) not in _OF_NUMBERS:
        return False
    found = _BEGINS.match(text)
    if found is None:
        day = day_of(text)
        return day is not None and not possible(day, today)
    year, month, of_month = (int(each) for each in (found[1], found[3] or found[5], found[4] or found[6]))
    if not FIRST_BIRTH.year <= year <= today.year + 1:
        return True
    try:
        return not possible(date(year, month, of_month), today)
    except ValueError:
        return False
