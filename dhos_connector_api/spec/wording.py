"""What of a JSON body does not fit, in words: what the rule asks for, and never its name or the value.

A schema can say its own words: `x-entry` is what one entry of a list is called, `x-must` what a `pattern`
asks for.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from jsonschema import ValidationError

#: A place in a body.
Path = tuple[str | int, ...]

_UNSAID = "is not as the specification has it"
#: Of formats that are checked (`compiled`).
_FORMATS = {"date-time": "must be a time as RFC 3339 writes it, such as 2025-06-05T11:06:00+03:00"}
_OF_SEVERAL = ("anyOf", "oneOf")
_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


def explain(error: ValidationError) -> str:
    """Return what does not fit, with its place, in words of the schema only."""
    branch = _branch(error)
    if branch:
        missing = dict.fromkeys(explain(each) for each in branch if each.validator == "required")
        return "; ".join(missing) or explain(branch[0])
    place = place_of(error)
    if error.validator == "required":
        missing_names = _missing(error)
        return f"{place}: {', '.join(missing_names)} {'is' if len(missing_names) == 1 else 'are'} missing"
    return f"{place}: {_expectation(error)}"


def faults(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """Return what does not fit, by its place in the body."""
    path = tuple(error.absolute_path)
    branch = _branch(error)
    if branch:
        for each in branch:
            yield from faults(each)
    elif error.validator == "required":
        for name in _missing(error):
            yield (*path, name), "is missing"
    else:
        yield path, _expectation(error)


def place_of(error: ValidationError) -> str:
    """Return `body.actions[].name` for the schema path properties, actions, items, properties, name, type."""
    place = "body"
    names = iter(list(error.absolute_schema_path)[:-1])
    for step in names:
        if step == "properties":
            place += f".{next(names, '')}"
        elif step == "items":
            place += "[]"
    return place


def _missing(error: ValidationError) -> list[str]:
    wanted: Any = error.validator_value
    instance: Any = error.instance
    return [name for name in wanted if name not in instance]


def _branches(error: ValidationError) -> list[list[ValidationError]]:
    """What does not fit each of the schemas of which one had to fit (anyOf), but for those not meant.

    Not meant is one that says with `not` which values are none of its own.
    """
    branches: dict[Any, list[ValidationError]] = {}
    for each in error.context if error.validator in _OF_SEVERAL else ():
        branches.setdefault(each.relative_schema_path[0], []).append(each)
    every = list(branches.values())
    return [one for one in every if all(each.validator != "not" for each in one)] or every[-1:]


def _branch(error: ValidationError) -> list[ValidationError]:
    """What does not fit the last of the schemas whose type fits; nothing where no type does."""
    fitting = [one for one in _branches(error) if not any(map(_is_of_another_type, one))]
    return fitting[-1] if fitting else []


def _is_of_another_type(error: ValidationError) -> bool:
    return error.validator == "type" and not error.relative_path


def _expectation(error: ValidationError) -> str:
    rule, wanted, schema = str(error.validator), error.validator_value, error.schema
    own: dict[str, Any] = schema if isinstance(schema, dict) else {}
    if rule in _OF_SEVERAL:
        types = dict.fromkeys(_types(one[0].validator_value) for one in _branches(error))
        return f"must be {' or '.join(types)}" if types else _UNSAID
    if rule in ("pattern", "not"):
        return str(own.get("x-must", _UNSAID))
    sentence = _SENTENCES.get(rule)
    return sentence(wanted, own.get("x-entry", "entry")) if sentence else _UNSAID


def _counted(number: Any, singular: str) -> str:
    plural = f"{singular[:-1]}ies" if singular.endswith("y") else f"{singular}s"
    return f"{'one' if number == 1 else number} {singular if number == 1 else plural}"


def _least_length(number: Any, _entry: str) -> str:
    return "must not be empty" if number == 1 else f"must have at least {_counted(number, 'character')}"


#: By rule: of what it asks for, and what an entry is called.
_SENTENCES: dict[str, Callable[[Any, str], str]] = {
    "type": lambda kind, _: f"must be {_types(kind)}",
    "enum": lambda values, _: f"must be one of {json.dumps(values)}",
    "format": lambda name, _: _FORMATS.get(name, _UNSAID),
    "minLength": _least_length,
    "maxLength": lambda number, _: f"must have at most {_counted(number, 'character')}",
    "minItems": lambda number, entry: f"must have at least {_counted(number, entry)}",
    "maxItems": lambda number, entry: f"must have at most {_counted(number, entry)}",
    "minProperties": lambda number, _: f"must have at least {_counted(number, 'field')}",
    "maxProperties": lambda number, _: f"must have at most {_counted(number, 'field')}",
    "minimum": lambda number, _: f"must be {number} or more",
    "maximum": lambda number, _: f"must be {number} or less",
    "multipleOf": lambda number, _: f"must be a multiple of {number}",
    "uniqueItems": lambda _, entry: f"must have no {entry} twice",
    "additionalProperties": lambda *_: "has a field that it may not have",
}


def _types(kind: Any) -> str:
    """The type in words, or several of which one is asked for."""
    return " or ".join(_TYPES.get(each, _UNSAID) for each in ([kind] if isinstance(kind, str) else kind))
