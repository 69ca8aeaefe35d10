"""The words in which a body is told what does not fit: rules in sentences, never their names or values."""

import json
import re
from typing import Any

import pytest
from connexion.spec import Specification

from dhos_connector_api.actions.his.calendar_days import no_such_day
from dhos_connector_api.actions.his.dates import EXPECTED, read_birth, read_moment
from dhos_connector_api.errors import BadInput
from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.bodies import JsonBody
from dhos_connector_api.spec.long_list import ListBody

DOCUMENT = dict(Specification.load(specification.load()))
BODIES: dict[str, dict[str, Any]] = {
    each.id: each.definition["requestBody"]["content"]["application/json"]["schema"]
    for each in specification.operations(DOCUMENT)
    if "application/json" in each.definition.get("requestBody", {}).get("content", {})
}
#: Names of rules, which are nobody's words.
_RULES = re.compile(
    "(min|max)[A-Z]|anyOf|oneOf|allOf|pattern|format|nullable|additional|unique|does not fit the"
    "|of type|array"
)
SECRET = "SECRET-7"
_TIME = "must be a time as RFC 3339 writes it, such as 2025-06-05T11:06:00+03:00"


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "array", "minItems": 1}, [], "must have at least one entry"),
        ({"type": "array", "minItems": 1, "x-entry": "visit"}, [], "must have at least one visit"),
        ({"type": "array", "maxItems": 2, "x-entry": "entry"}, [1, 2, 3], "must have at most 2 entries"),
        ({"type": "array", "uniqueItems": True}, [1, 1], "must have no entry twice"),
        ({"type": "string", "minLength": 1}, "", "must not be empty"),
        ({"type": "string", "minLength": 2}, "x", "must have at least 2 characters"),
        ({"type": "string", "maxLength": 1}, SECRET, "must have at most one character"),
        ({"pattern": "^x", "x-must": "must begin with x"}, SECRET, "must begin with x"),
        ({"pattern": "^x"}, SECRET, "is not as the specification has it"),
        ({"type": "object"}, SECRET, "must be an object"),
        ({"type": "array"}, {}, "must be a list"),
        ({"type": "string"}, 7, "must be a text"),
        ({"type": ["integer", "null"]}, SECRET, "must be a whole number or null"),
        ({"type": "boolean"}, SECRET, "must be true or false"),
        ({"anyOf": [{"type": "array"}, {"type": "number"}]}, SECRET, "must be a list or a number"),
        ({"minimum": 3}, 2, "must be 3 or more"),
        ({"maximum": 3}, 4, "must be 3 or less"),
        ({"multipleOf": 5}, 4, "must be a multiple of 5"),
        ({"minProperties": 1}, {}, "must have at least one field"),
        ({"maxProperties": 0}, {SECRET: 1}, "must have at most 0 fields"),
        ({"format": "date-time"}, SECRET, _TIME),
        ({"format": "email"}, SECRET, "is not as the specification has it"),
        ({"type": "object", "additionalProperties": False}, {SECRET: 1}, "has a field that it may not have"),
        (
            {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "integer"}]},
            [],
            "must be a text or a whole number",
        ),
        (
            {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "integer"}]},
            SECRET,
            "must have at most 2 characters",
        ),
        ({"oneOf": [{"type": "integer", "minimum": 5}, {"type": "string"}]}, 4, "must be 5 or more"),
    ],
)
def test_a_rule_is_said_in_words(schema: dict[str, Any], value: Any, text: str) -> None:
    check = JsonBody({"properties": {"it": schema}})
    assert check.faults({"it": value}) == {"it": [text]}
    with pytest.raises(BadInput) as refused:
        check.value(json.dumps({"it": value}).encode())
    assert refused.value.text == f"body.it: {text}"


def _unfitting(schema: dict[str, Any]) -> list[Any]:
    """Values that break one rule after the other."""
    odd: list[Any] = [
        None,
        True,
        7,
        -1,
        10**18,
        0.5,
        "",
        " ",
        SECRET * 5000,
        [],
        [SECRET],
        {},
        {SECRET: SECRET},
    ]
    if schema.get("type") == "array":
        odd += [[each] for each in _unfitting(schema.get("items", {}))] + [[{}] * 1001]
    fields = schema.get("properties", {})
    return odd + [{name: each} for name, one in fields.items() for each in _unfitting(one)]


@pytest.mark.parametrize("operation", BODIES)
def test_no_answer_names_a_rule_or_quotes_a_value(operation: str) -> None:
    check = JsonBody(BODIES[operation])
    for value in _unfitting(BODIES[operation]):
        texts = [text for each in check.faults(value).values() for text in each]
        try:
            check.value(json.dumps(value).encode())
        except BadInput as refused:
            texts.append(refused.text)
        assert not any(_RULES.search(text) or SECRET in text for text in texts), texts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2025-06-31", "31 June does not exist"),
        ("31-Jun-2025 11:06", "31 June does not exist"),
        ("30-FEB-2024 00:00", "30 February does not exist"),
        ("2025-02-29T10:00", "29 February does not exist in 2025"),
        ("2024-02-29", None),
        ("2025-06-32", None),
        ("2025-13-01", None),
        ("31-Foo-2025", None),
        ("2025-06-30", None),
        (SECRET, None),
        ("", None),
    ],
)
def test_a_day_that_no_calendar_has_is_said(text: str, said: str | None) -> None:
    assert no_such_day(text) == said


def test_dates_of_the_his_that_do_not_exist_are_said() -> None:
    for reader, text, said in (
        (read_moment, "31-Jun-2025 11:06", "31 June does not exist"),
        (read_moment, "30-Jun-2025 25:06", EXPECTED),
        (read_birth, "1985-02-30", "30 February does not exist"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            reader(text)


@pytest.mark.parametrize("raw", [b"[]", b' [{"event_code": "X"}]', b"\xef\xbb\xbf[1]", b"["])
def test_a_bare_list_is_told_what_it_is_wanted_in(raw: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        ListBody(raw, "events", 10)
    assert refused.value.text == 'body: must be an object that holds the list: {"events": [...]}'
    assert list(refused.value.details) == ["body"]
