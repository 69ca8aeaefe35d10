"""One segment, split into fields, repetitions, components and subcomponents when asked (HL7 v2 chapter 2)."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from dhos_connector_api.hl7v2.delimiters import Delimiters
from dhos_connector_api.hl7v2.escapes import unescape

#: A value that asks the receiver to delete what it holds (HL7 v2 chapter 2, "null" fields).
DELETE = '""'

#: Of one field; what is beyond is not read (`rules` refuses it where it matters).
MOST_REPETITIONS = 100

Made = TypeVar("Made")
_MISSING: Any = object()

_HEADERS = frozenset({"MSH", "FHS", "BHS"})


class Repetition:
    """One repetition of a field."""

    __slots__ = ("_charset", "_components", "_delimiters", "raw")

    def __init__(self, raw: str, delimiters_: Delimiters, charset: str) -> None:
        self.raw = raw
        self._delimiters = delimiters_
        self._charset = charset
        self._components: list[str] | None = None

    def value(self, component: int = 1, subcomponent: int = 1) -> str:
        """Return the unescaped text of one (sub)component, counted from 1; '' when absent.

        `""` stays DELETE, and where the whole repetition is deleted, so is every part of it.
        """
        parts = self._components
        if parts is None:
            mark = self._delimiters.component
            parts = self._components = self.raw.split(mark) if mark else [self.raw]
        text = parts[component - 1] if component <= len(parts) else ""
        if not text or text.isalnum():  # the most frequent kinds: nothing in them to split
            if self.raw == DELETE:
                return DELETE
            return text if subcomponent == 1 else ""
        if text == DELETE:
            return DELETE
        return unescape(
            _nth(text, self._delimiters.subcomponent, subcomponent), self._delimiters, self._charset
        )


class Segment:
    """One segment; its fields are split when first asked for."""

    __slots__ = ("_charset", "_delimiters", "_fields", "_kept", "line", "name")

    def __init__(self, name: str, line: str, delimiters_: Delimiters, charset: str) -> None:
        self.name = name
        self.line = line
        self._delimiters = delimiters_
        self._charset = charset
        self._fields: list[str] | None = None
        self._kept: dict[Hashable, Any] | None = None

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what `make` makes of the segment: for equal keys it is made once."""
        if self._kept is None:
            self._kept = {}
        found: Made = self._kept.get(key, _MISSING)
        if found is _MISSING:
            found = self._kept[key] = make()
        return found

    def raw(self, field: int) -> str:
        """Return a field as it stands, '' when absent. As HL7 counts, MSH-1 is the field separator."""
        fields = self._fields
        if fields is None:
            fields = self.line.split(self._delimiters.field)
            if self.name in _HEADERS:
                fields.insert(1, self._delimiters.field)
            self._fields = fields
        return fields[field] if field < len(fields) else ""

    def text(self, field: int) -> str:
        """Return a whole field as one string, unescaped and not split: for the type ST, such as MSH-10."""
        return unescape(self.raw(field), self._delimiters, self._charset)

    def value(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        """Return the unescaped text of a (sub)component, counted from 1; '' if absent, `""` stays DELETE.

        Where the whole repetition or component is deleted, so is every part of it.
        """
        raw = self.raw(field)
        if not raw or raw.isalnum():  # the most frequent kinds: nothing in them to split
            return raw if component == subcomponent == repetition == 1 else ""
        if field <= 2 and self.name in _HEADERS:  # noqa: PLR2004  the delimiters themselves
            return raw
        marks = self._delimiters
        one = _nth(raw, marks.repetition, repetition)
        if one != DELETE:
            one = _nth(one, marks.component, component)
        if one != DELETE:
            one = _nth(one, marks.subcomponent, subcomponent)
        return unescape(one, marks, self._charset)

    def repetitions(self, field: int) -> list[str]:
        """Return the repetitions of a field as they stand; none when the field is empty."""
        raw = self.raw(field)
        mark = self._delimiters.repetition
        return (raw.split(mark) if mark else [raw]) if raw else []

    def repeated(self, field: int) -> list[Repetition]:
        """Return the first MOST_REPETITIONS repetitions of a field, to read components from."""
        repetitions = self.repetitions(field)[:MOST_REPETITIONS]
        return [Repetition(raw, self._delimiters, self._charset) for raw in repetitions]


def _nth(text: str, mark: str, number: int) -> str:
    """The part of that number, counted from 1; '' when there are fewer."""
    if not mark or mark not in text:
        return text if number == 1 else ""
    parts = text.split(mark, number)
    return parts[number - 1] if number <= len(parts) else ""
