"""What was given for fields, as it is kept: texts trimmed, empty ones null, ids of references read.

Faults are collected by field; nothing of what was given is quoted in them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dhos_connector_api.errors import InvalidFields
from dhos_connector_api.px.organizations.resources import Resource, Status

_BLANK = "may not be blank"
_NO_UUID = "is no UUID"
_UNKEPT = "has a character that cannot be kept"
_UNCHANGED = "cannot be changed"


@dataclass(slots=True)
class Faults:
    """What does not fit so far, by field."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, text: str | None) -> None:
        """Note what is wrong with a field; None is nothing."""
        if text is not None:
            self.found.setdefault(name, []).append(text)

    def check(self) -> None:
        """Raise InvalidFields if anything is wrong."""
        if self.found:
            raise InvalidFields(self.found)


def values_of(
    resource: Resource, body: Mapping[str, Any], before: Mapping[str, Any] | None, *, whole: bool
) -> dict[str, Any]:
    """Return the values of all fields, by column, after a body has been taken over what was there `before`.

    `whole`: fields that the body does not name become null, or what they are by themselves.
    Raises InvalidFields.
    """
    faults, values = Faults(), {}
    for name, column in resource.fields.items():
        if name in body:
            values[column] = _read(resource, name, body[name], faults)
        elif before is not None and not whole:
            values[column] = before[column]
        else:
            values[column] = resource.blank(name)
        if name in resource.required and values[column] is None:
            faults.add(name, _BLANK)
    if before is not None and "hospital_id" in values and values["hospital_id"] != before["hospital_id"]:
        faults.add("hospital", _UNCHANGED)
    faults.check()
    return values


def hold(
    resource: Resource, before: Mapping[str, Any], values: Mapping[str, Any], names: Collection[str]
) -> None:
    """Raise InvalidFields where a field of these names becomes another."""
    faults = Faults()
    for name in sorted(names):
        column = resource.fields[name]
        faults.add(name, _UNCHANGED if values[column] != before[column] else None)
    faults.check()


def changed_fields(
    resource: Resource, before: Mapping[str, Any] | None, values: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the names of the fields that differ, in alphabetical order."""
    was = before or {}
    return tuple(
        sorted(name for name, column in resource.fields.items() if was.get(column) != values[column])
    )


def becomes_active(before: Mapping[str, Any] | None, values: Mapping[str, Any]) -> bool:
    """Return whether something begins, or begins again, to be in use."""
    return values["status"] == Status.ACTIVE and (before is None or before["status"] != Status.ACTIVE)


def _read(resource: Resource, name: str, given: Any, faults: Faults) -> Any:
    if given is None:
        return resource.blank(name)
    if name == "ward_codes":
        codes = [_text(name, each, faults) for each in given]
        return list(dict.fromkeys(each for each in codes if each))
    if resource.fields[name].endswith("_id"):
        return _id(name, given, faults)
    return _text(name, given, faults) if isinstance(given, str) else given


def _text(name: str, given: str, faults: Faults) -> str | None:
    if "\0" in given:
        faults.add(name, _UNKEPT)
    return given.strip() or None


def _id(name: str, given: str | UUID, faults: Faults) -> UUID | None:
    try:
        return given if isinstance(given, UUID) else UUID(given)
    except ValueError:
        faults.add(name, _NO_UUID)
        return None
