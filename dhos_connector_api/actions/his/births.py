"""Dates of birth in the data of webhooks and integration events, which are published as they came (pure)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from dhos_connector_api.actions.his.dates import day_of
from dhos_connector_api.hl7v2.births import possible

#: Names of the field, without case and without anything but letters.
_FIELDS = frozenset(
    f"{whose}{what}" for whose in ("", "patient") for what in ("dob", "dateofbirth", "birthdate", "birthday")
)


def without_bad_births(data: Mapping[str, Any], today: date) -> dict[str, Any]:
    """Return the data, at any depth without dates of birth that no patient can have (`births.possible`).

    `today` is the day they came, in UTC. What is no date, as far as we can tell, stays as it is.
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
    if not isinstance(value, str) or _letters(name) not in _FIELDS:
        return False
    day = day_of(value)
    return day is not None and not possible(day, today)
