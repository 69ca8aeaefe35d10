"""JSON bodies, strictly."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.errors import BadInput
from dhos_connector_api.spec.bodies import MOST_COLLECTIONS, MOST_LEVELS, MOST_VALUES, JsonBody, parse

SCHEMA = {
    "type": "object",
    "required": ["type", "actions"],
    "properties": {
        "type": {"type": "string", "enum": ["HL7v2"]},
        "actions": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
}
ONE_OF_TWO: dict[str, Any] = {
    "type": "object",
    "properties": {
        "actions": {
            "type": "array",
            "items": {
                "anyOf": [
                    {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string", "not": {"enum": ["ours"]}}},
                    },
                    {
                        "type": "object",
                        "required": ["name", "data"],
                        "properties": {
                            "name": {"type": "string", "enum": ["ours"]},
                            "data": {
                                "type": "object",
                                "required": ["patient", "encounter"],
                                "properties": {
                                    "patient": {"type": "object", "required": ["uuid"]},
                                    "id": {"anyOf": [{"type": "number"}, {"type": "string"}]},
                                    "colour": {"anyOf": [{"not": {"type": "string"}}]},
                                },
                            },
                        },
                    },
                ]
            },
        }
    },
}
COMPLETE = {"patient": {"uuid": "1"}, "encounter": {}}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_json_can_say_is_read_as_it_is(value: Any, ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a": 1} x',
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xe9"}',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"NaN",
        b'{"a": -Infinity}',
        b"1e999",
        b"9" * 5000,
        b"-" + b"9" * 19,
        str(2**63).encode(),
        str(-(2**63) - 1).encode(),
        b"[1," + b"9" * 21 + b"]",
        b'"\\u0000"',
        b'{"a\\u0000": 1}',
        b'{"a": ["\\ud800"]}',
        b'"\\udc00\\ud800"',
        b'"a\x00b"',
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "\\u0061": 2}',
        b"[" * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"a":' * 200_000,
        b'[{"a":' * (MOST_LEVELS // 2 + 1) + b"1" + b"}]" * (MOST_LEVELS // 2 + 1),
        b'"' + b'\\"' * 200_000 + b"[" * 100,
    ],
    ids=range(28),
)
def test_what_is_not_json_or_could_not_be_stored_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput) as error:
        parse(raw)
    assert len(error.value.text) < 100


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1012345678.0", 1012345678),
        ("1.012345678E9", 1012345678),
        ("1e3", 1000),
        ("-7.000", -7),
        ("0.0", 0),
        ("9007199254740993.0", 9007199254740993),
        ("9223372036854775807.0", 2**63 - 1),
        ("-9223372036854775808.0", -(2**63)),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_a_number_without_a_fraction_is_an_integer_however_it_is_written(text: str, number: int) -> None:
    found = parse(f'[{{"a": {text}}}]'.encode())[0]["a"]
    assert (type(found), found) == (int, number)


@pytest.mark.parametrize(
    "text",
    [
        *("1.5", "0.99999999999999999999", "1e20", "9223372036854775808.0"),
        *("1e-400", "6.144520917542306e+16"),
        *("0e99999999999999999999", "1e-99999999999999999999", "-0.0E+99999999999999999999"),
    ],
)
def test_what_is_no_integer_of_64_bits_stays_a_float(text: str) -> None:
    assert isinstance(parse(text.encode()), float)


def test_where_decimals_say_how_exact_a_number_is_they_stay() -> None:
    schema = {
        "x-numbers-as-written": True,
        "properties": {"measured": {"type": "number"}, "score": {"type": "integer"}},
    }
    found = JsonBody(schema).value(b'{"measured": 37.0, "score": 7}')
    assert repr(found["measured"]) == "37.0"
    assert repr(JsonBody(schema).value(b'{"measured": 37.5, "score": 7.0}')["score"]) == "7"


def test_a_byte_order_mark_is_skipped() -> None:
    assert JsonBody(SCHEMA).value(b'\xef\xbb\xbf{"type": "HL7v2", "actions": []}')["type"] == "HL7v2"


def test_megabytes_of_digits_are_read_in_one_go() -> None:
    """Each would take minutes if any step were quadratic; the run's own time limit is the assertion."""
    assert parse(b"1." + b"0" * 1_000_000) == 1
    assert parse(b"0." + b"9" * 1_000_000) == 1.0
    with pytest.raises(BadInput):
        parse(b"9" * 1_000_000)


def test_there_may_not_be_millions_of_lists() -> None:
    most = b"[" + b"[]," * (MOST_COLLECTIONS - 2) + b"[]]"
    assert len(parse(most)) == MOST_COLLECTIONS - 1
    with pytest.raises(BadInput):
        parse(b"[" + b"[]," * (MOST_COLLECTIONS - 1) + b"[]]")
    assert parse(b'"' + b"[]" * MOST_COLLECTIONS + b'"') == "[]" * MOST_COLLECTIONS


def test_there_may_not_be_millions_of_values() -> None:
    """Ten megabytes of ["a","a" ... were 200 MB of memory."""
    assert len(parse(b"[" + b"1," * (MOST_VALUES - 1) + b"1]")) == MOST_VALUES
    for value in (rb"1,", rb'"a",', rb'"\\",', rb'"a\"b",'):
        with pytest.raises(BadInput, match="values"):
            parse(b"[" + value * MOST_VALUES + b"1]")
    text = "," * 2 * MOST_VALUES
    assert parse(json.dumps([text]).encode()) == [text]


def test_a_brief_check_finds_the_same_and_does_not_look_for_reasons() -> None:
    brief = JsonBody(SCHEMA).brief()
    assert brief.faults({"type": "HL7v2", "actions": []}) == {}
    assert brief.faults({"type": "X", "actions": 7}) == {"body": ["does not fit"]}


def test_nesting_is_counted_outside_of_strings_only() -> None:
    deepest = "[" * MOST_LEVELS + "]" * MOST_LEVELS
    assert json.dumps(parse(deepest.encode())).replace(" ", "") == deepest
    text = '[{\\"' * 100
    assert parse(f'["{text}", {"[]," * 100}[]]'.encode())[0] == '[{"' * 100


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "body: must be an object"),
        ({"type": "HL7v2"}, "body: actions is missing"),
        ({"type": "SECRET", "actions": []}, 'body.type: must be one of ["HL7v2"]'),
        (
            {"type": "HL7v2", "actions": [{"name": {"SECRET": 1}}]},
            "body.actions[].name: must be a text",
        ),
    ],
)
def test_an_error_names_the_place_and_never_the_value(value: Any, text: str) -> None:
    with pytest.raises(BadInput) as error:
        JsonBody(SCHEMA).value(json.dumps(value).encode())
    assert error.value.text == text


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ({"name": "ours"}, "body.actions[]: data is missing"),
        ({"name": "ours", "data": {}}, "body.actions[].data: patient, encounter are missing"),
        (
            {"name": "ours", "data": {"patient": {}}},
            "body.actions[].data: encounter is missing; body.actions[].data.patient: uuid is missing",
        ),
        ({"name": "ours", "data": "SECRET"}, "body.actions[].data: must be an object"),
        (
            {"name": "ours", "data": COMPLETE | {"id": ["SECRET"]}},
            "body.actions[].data.id: must be a number or a text",
        ),
        (
            {"name": "ours", "data": COMPLETE | {"colour": "SECRET"}},
            "body.actions[].data.colour: is not as the specification has it",
        ),
        ({}, "body.actions[]: name, data are missing"),
        ("SECRET", "body.actions[]: must be an object"),
        ({"name": ["SECRET"], "data": COMPLETE}, "body.actions[].name: must be a text"),
    ],
)
def test_where_one_of_several_schemas_has_to_fit_the_error_is_that_of_the_one_meant(
    action: Any, text: str
) -> None:
    others = {"name": "others", "data": 5}
    with pytest.raises(BadInput) as error:
        JsonBody(ONE_OF_TWO).value(json.dumps({"actions": [others, action]}).encode())
    assert error.value.text == text


def test_a_schema_that_says_what_it_is_not_for_is_passed_over_wherever_it_stands() -> None:
    schema = copy.deepcopy(ONE_OF_TWO)
    schema["properties"]["actions"]["items"]["anyOf"].reverse()
    with pytest.raises(BadInput, match="data: patient, encounter are missing"):
        JsonBody(schema).value(json.dumps({"actions": [{"name": "ours", "data": {}}]}).encode())


@pytest.mark.parametrize(
    "actions",
    [[], [{"name": "others", "data": []}], [{"name": "others"}, {"name": "ours", "data": COMPLETE}]],
)
def test_what_fits_one_of_several_schemas_is_taken(actions: list[Any]) -> None:
    assert JsonBody(ONE_OF_TWO).value(json.dumps({"actions": actions}).encode()) == {"actions": actions}
