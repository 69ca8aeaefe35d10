"""Schemas compiled into machine code, for the one question whether a value fits.

They are schemas of OpenAPI 3.0: JSON Schema draft 4, and `nullable`. What of a value does not fit is
for the slower validator in `bodies` to say; both decide alike, and `tests/pure/test_compiled_schemas.py`
holds them together.
"""

import re
from collections.abc import Callable
from typing import Any

from jsonschema import Draft4Validator
from jsonschema_rs import Draft4Validator as Compiled

_FORMATS = Draft4Validator.FORMAT_CHECKER
#: Keywords whose value is a schema, a list of schemas, or schemas by name.
_ONE = ("items", "not", "additionalProperties", "additionalItems")
_LIST = ("allOf", "anyOf", "oneOf")
_NAMED = ("properties", "patternProperties")


class _Pattern:
    """`pattern` by Python's regular expressions, which know other white space than JavaScript's."""

    def __init__(self, _schema: dict[str, Any], pattern: str, _path: list[str | int]) -> None:
        self._search = re.compile(pattern).search

    def validate(self, instance: Any) -> None:
        """Raise ValueError for a text the pattern is not found in."""
        if isinstance(instance, str) and not self._search(instance):
            raise ValueError


def compiled(schema: dict[str, Any], *, formats: bool = True) -> Callable[[Any], bool]:
    """Return the function that says whether a value fits `schema`; `formats`: whether `format` counts."""
    known = {name: _format(name) for name in _FORMATS.checkers} if formats else {}
    validator = Compiled(
        _plain(schema, known), keywords={"pattern": _Pattern}, formats=known, validate_formats=True
    )
    return validator.is_valid


def _format(name: str) -> Callable[[str], bool]:
    return lambda text: _FORMATS.conforms(text, name)


def _plain(schema: Any, formats: dict[str, Any]) -> Any:
    """Return the schema in plain draft 4: null is a type and a value; formats nobody checks are left out."""
    if not isinstance(schema, dict):
        return schema
    plain: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _NAMED:
            plain[keyword] = {name: _plain(each, formats) for name, each in value.items()}
        elif keyword in _LIST or (keyword == "items" and isinstance(value, list)):
            plain[keyword] = [_plain(each, formats) for each in value]
        elif keyword in _ONE:
            plain[keyword] = _plain(value, formats)
        elif keyword != "format" or value in formats:
            plain[keyword] = value
    if schema.get("nullable") or schema.get("x-nullable") is True:
        _add_null(plain)
    return plain


def _add_null(plain: dict[str, Any]) -> None:
    if "type" in plain:
        types = plain["type"] if isinstance(plain["type"], list) else [plain["type"]]
        plain["type"] = [*(each for each in types if each != "null"), "null"]
    if "enum" in plain and None not in plain["enum"]:
        plain["enum"] = [*plain["enum"], None]
