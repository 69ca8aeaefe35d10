"""Path and query parameters, checked against the specification and handed on as what was checked.

A path that does not fit names nothing (404); a query that does not fit is a bad request (400). A
parameter given twice is refused: frameworks differ in which one they take. So is one that nobody knows: a
filter that is not applied would be taken for one that is. No error quotes a value.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from dhos_connector_api.errors import BadInput, NotFound
from dhos_connector_api.spec.compiled import compiled

_MOST_DIGITS = 18
#: A name that can be shown: no value that was put into its place.
_SHOWN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
_NO_TEXT = re.compile("[\x00-\x1f\ud800-\udfff]")


class ParameterCheck:
    """Checks the parameters of one operation. With `any_query` it takes unknown ones, and ignores them.

    With `by_field` what does not fit is also in the error's `details`, by the parameter's name.
    """

    def __init__(
        self, parameters: Sequence[dict[str, Any]], *, any_query: bool = False, by_field: bool = False
    ) -> None:
        self._any_query, self._by_field = any_query, by_field
        self._path = {each["name"]: _fits(each) for each in parameters if each["in"] == "path"}
        self._query = {each["name"]: each for each in parameters if each["in"] == "query"}
        self._rules = {name: _fits(each) for name, each in self._query.items()}

    def values(self, path_parameters: Mapping[str, Any], query_string: bytes) -> dict[str, Any]:
        """Return the parameters by name, typed, with their defaults. Raises NotFound and BadInput."""
        values: dict[str, Any] = {}
        for name, fits in self._path.items():
            value = path_parameters[name]
            if not _is_text(value) or not fits(value):
                raise NotFound("there is nothing under this address")
            values[name] = value
        if self._query or (query_string and not self._any_query):
            self._add_query(values, query_string)
        return values

    def _add_query(self, values: dict[str, Any], query_string: bytes) -> None:
        given: dict[str, str] = {}
        for name, value in _pairs(query_string):
            if name not in self._query:
                if self._any_query:
                    continue
                raise self._bad(name if _SHOWN_NAME.fullmatch(name) else "", f"query: {self._unknown(name)}")
            if name in given:
                raise self._bad(name, f"query: {name} is given twice")
            given[name] = value
        for name, parameter in self._query.items():
            if name in given:
                values[name] = self._checked(name, given[name], parameter["schema"])
            elif parameter.get("required"):
                raise self._bad(name, f"query: {name} is missing")
            else:
                values[name] = parameter["schema"].get("default")

    def _unknown(self, name: str) -> str:
        shown = f" {name}" if _SHOWN_NAME.fullmatch(name) else ""
        known = f"it takes {', '.join(self._query)}" if self._query else "it takes none"
        return f"the operation takes no parameter{shown}; {known}"

    def _checked(self, name: str, text: str, schema: dict[str, Any]) -> Any:
        value: Any = text
        if schema["type"] == "integer":
            value = int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
        if not _is_text(text) or not self._rules[name](value):
            raise self._bad(name, f"query: {name} does not fit: {_expectation(schema)}")
        return value

    def _bad(self, name: str, text: str) -> BadInput:
        return BadInput(text, {name: [text]} if self._by_field and name else None)


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=100
        )
    except ValueError:  # UnicodeDecodeError is one
        raise BadInput("the query cannot be read") from None


def _fits(parameter: dict[str, Any]) -> Callable[[Any], bool]:
    return compiled(parameter["schema"], formats=False)


def _is_text(value: str) -> bool:
    """Return whether PostgreSQL could hold it, and HL7 could have held it."""
    return not _NO_TEXT.search(value)


def _expectation(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if schema["type"] == "integer":
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    return f"1 to {schema['maxLength']} characters"
