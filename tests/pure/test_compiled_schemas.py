"""The compiled schemas decide as the validator does that explains, on bodies of every operation."""

import json
from typing import Any

import pytest
from connexion.json_schema import Draft4RequestValidator
from connexion.spec import Specification
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from dhos_connector_api.errors import BadInput
from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.bodies import JsonBody, parse
from dhos_connector_api.spec.compiled import compiled
from dhos_connector_api.spec.wording import explain

DOCUMENT = dict(Specification.load(specification.load()))
JSON_BODIES: dict[str, dict[str, Any]] = {
    each.id: each.definition["requestBody"]["content"]["application/json"]["schema"]
    for each in specification.operations(DOCUMENT)
    if "application/json" in each.definition.get("requestBody", {}).get("content", {})
}
PARAMETERS = [
    (f"{each.id} {parameter['name']}", parameter["schema"])
    for each in specification.operations(DOCUMENT)
    for parameter in each.parameters
]
#: Where validators differ from each other: types that are equal in Python, numbers at the edges,
#: white space of Python's and JavaScript's own, characters of two UTF-16 units, dates that are none.
ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 0.0, 1.0, 1.5, -0.0, 1e17, 10**18 - 1, 2**63 - 1, -(10**17)),
    *(
        "",
        " ",
        "\t\n",
        "\x1c",
        "\x1f",
        "\x85",
        "\u00a0",
        "\u2028",
        "\ufeff",
        "\u180e",
        "0",
        "a\n",
        "A b",
        "٣",
    ),
    *(
        "é",
        "e\u0301",
        "\U0001f600",
        "\U0001f600" * 20,
        "x" * 36,
        "x" * 37,
        "x" * 255,
        "x" * 256,
        "x" * 10_001,
    ),
    *("2c4f1d24-2952-4d4e-b1d1-3637e33cc161", "2024-01-02T10:15:00Z", "2024-02-30T10:15:00Z", "2024-01-02"),
    *(
        "2024-01-02t10:15:00z",
        "2024-01-02T23:59:60Z",
        "2024-01-02T10:15:00",
        "HL7v2",
        "hl7v2",
        "null",
        "true",
    ),
    *([], [[]], [None], [1, 1.0], [{}], {}, {"": None}, {"name": "process_observation_set"}),
]
ODD_VALUES = (
    st.sampled_from(ODD)
    | st.text(max_size=50)
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
)
#: By hand: what the specification has not yet, and may have tomorrow.
SCHEMAS: list[dict[str, Any]] = [
    {"type": "string", "nullable": True},
    {"type": "string", "nullable": True, "enum": ["a", "b"]},
    {"enum": ["a"], "nullable": True},
    {"enum": [0, "a", None, 1.5]},
    {"enum": [False]},
    {"enum": [1]},
    {"enum": [[1], {"a": True}]},
    {"type": ["string", "null"], "nullable": True, "minLength": 1},
    {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 10**18 - 1},
    {"type": "number", "maximum": 1, "exclusiveMaximum": True, "multipleOf": 0.5},
    {"type": "boolean", "nullable": False},
    {"type": "string", "pattern": r"\S"},
    {"type": "string", "pattern": r"^\w+$"},
    {"pattern": r"^\d+(?![\s\S])"},
    {"type": "string", "format": "date-time"},
    {"format": "uuid"},
    {"format": "email"},
    {"format": "ipv4"},
    {"type": "string", "minLength": 1, "maxLength": 20},
    {"type": "array", "items": {"type": "integer", "nullable": True}, "minItems": 1, "uniqueItems": True},
    {"type": "object", "properties": {"nullable": {"type": "null"}, "type": {"type": "string"}}},
    {"type": "object", "additionalProperties": False, "properties": {"": {"readOnly": True, "type": "null"}}},
    {"type": "object", "additionalProperties": {"type": "string", "nullable": True}, "minProperties": 1},
    {"anyOf": [{"type": "null"}, {"not": {"type": "string", "nullable": True}}]},
    {"oneOf": [{"type": "integer"}, {"type": "number"}], "nullable": True},
    {"allOf": [{"type": "string", "nullable": True}, {"maxLength": 1}]},
    {"type": "string", "nullable": True, "not": {"enum": [None], "nullable": True}},
    {"x-nullable": True, "type": "integer"},
    {},
]


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit the schema, or nearly: now and then something odd stands in for a part of one."""
    fitting = st.one_of(*(values(each) for each in schema.get("anyOf", ()))) if "anyOf" in schema else None
    if fitting is None:
        fitting = _of_type(_merged(schema))
    return st.integers(0, 9).flatmap(lambda number: ODD_VALUES if number == 0 else fitting)


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what its `allOf` says besides."""
    found = dict(schema)
    for each in schema.get("allOf", ()):
        found = _merged(each) | found
    return found


def _of_type(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        properties = {name: values(each) for name, each in schema.get("properties", {}).items()}
        required = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: each for name, each in properties.items() if name in required},
            optional={name: each for name, each in properties.items() if name not in required},
        ) | st.dictionaries(st.sampled_from(sorted(properties) or ["a"]), ODD_VALUES, max_size=3)
    if kind == "array":
        return st.lists(values(schema.get("items", {})), max_size=3)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        "string": st.text(max_size=45),
        "integer": st.integers(-2, 10**6),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
    }
    return simple.get(kind, ODD_VALUES)


def explaining(schema: dict[str, Any]) -> Draft4Validator:
    """The validator that explains, as it decided alone before schemas were compiled."""
    validator: Draft4Validator = Draft4RequestValidator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)
    return validator


@pytest.mark.parametrize("examples", [20, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize("operation", JSON_BODIES)
def test_a_body_fits_or_is_refused_with_the_same_words_as_ever(operation: str, examples: int) -> None:
    schema = JSON_BODIES[operation]

    @settings(max_examples=examples)
    @given(values(schema))
    def both_say_the_same(drawn: Any) -> None:
        raw = json.dumps(drawn).encode()
        try:
            value = parse(raw)
        except BadInput:
            reject()  # it is refused before any schema is asked
        error = next(explaining(schema).iter_errors(value), None)
        assert compiled(schema)(value) is (error is None)
        assert _answer(schema, raw) == (value if error is None else explain(error))
        assert bool(JsonBody(schema).faults(value)) is (error is not None)

    both_say_the_same()


def _answer(schema: dict[str, Any], raw: bytes) -> Any:
    try:
        return JsonBody(schema).value(raw)
    except BadInput as refused:
        return refused.text


@pytest.mark.parametrize("operation", JSON_BODIES)
def test_odd_values_in_every_place_of_a_body(operation: str) -> None:
    schema = JSON_BODIES[operation]
    validator, fits = explaining(schema), compiled(schema)
    for name in (None, *_names(schema)):
        for value in ODD:
            body = value if name is None else {name: value}
            assert fits(body) is validator.is_valid(body), (name, value)


def _names(schema: dict[str, Any]) -> list[str]:
    found = list(schema.get("properties", ()))
    for each in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        found += _names(each)
    return found


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_odd_values_and_every_rule_of_a_schema(schema: dict[str, Any]) -> None:
    validator, fits = explaining(schema), compiled(schema)
    nested = (
        explaining({"properties": {"a": {"items": schema}}}),
        compiled({"properties": {"a": {"items": schema}}}),
    )
    for value in ODD:
        assert fits(value) is validator.is_valid(value), value
        assert nested[1]({"a": [value]}) is nested[0].is_valid({"a": [value]}), value


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
@given(value=ODD_VALUES)
def test_any_value_and_every_rule_of_a_schema(schema: dict[str, Any], value: Any) -> None:
    assert compiled(schema)(value) is explaining(schema).is_valid(value)


@pytest.mark.parametrize(("name", "schema"), PARAMETERS)
def test_odd_values_of_a_parameter(name: str, schema: dict[str, Any]) -> None:
    validator, fits = Draft4Validator(schema), compiled(schema, formats=False)
    for value in ODD:
        assert fits(value) is validator.is_valid(value), (name, value)
