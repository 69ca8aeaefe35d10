"""Rows dumped by worked-out steps: byte for byte what marshmallow's own dump gives."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema, fields

from dhos_connector_api.api import event_schemas, schemas
from dhos_connector_api.api.schemas import Instant
from dhos_connector_api.http.dumping import dumper

SCHEMAS = [
    each
    for module in (schemas, event_schemas)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, Schema) and each is not Schema
]
ZONES = [UTC, ZoneInfo("UTC"), ZoneInfo("Europe/London"), timezone(timedelta(hours=-9, minutes=-30))]
INSTANTS = st.builds(
    lambda seconds, microseconds, zone: datetime.fromtimestamp(seconds, zone).replace(
        microsecond=microseconds
    ),
    st.integers(-(10**9), 10**10),
    st.integers(0, 999_999),
    st.sampled_from(ZONES),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
PLAIN: dict[type, st.SearchStrategy[Any]] = {
    fields.String: TEXTS | TEXTS.map(str.encode) | st.integers(),
    fields.UUID: st.uuids() | st.uuids().map(str),
    fields.Integer: st.integers() | st.booleans() | st.integers().map(str),
    fields.Float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000),
    fields.Boolean: st.booleans() | st.integers(0, 1),
    fields.Raw: st.dictionaries(TEXTS, st.integers() | TEXTS | st.none(), max_size=3),
    Instant: INSTANTS,
}
#: What fields that are functions of the row look at.
LOOKED_AT = {
    "received": st.none() | st.binary(max_size=50),
    "ack": st.none() | st.binary(max_size=50),
    "charset": st.sampled_from([None, "utf-8", "latin-1", "ascii"]),
}


def rows(schema: type[Schema]) -> st.SearchStrategy[dict[str, Any]]:
    columns = {
        field.attribute or name: st.none() | PLAIN[type(field)]
        for name, field in schema().dump_fields.items()
        if type(field) is not fields.Function
    }
    return st.fixed_dictionaries(columns | LOOKED_AT)


@pytest.mark.parametrize("schema", SCHEMAS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_row_is_dumped_as_marshmallow_dumps_it(schema: type[Schema], data: st.DataObject) -> None:
    row = data.draw(rows(schema))
    assert json.dumps(dumper(schema())(row)) == json.dumps(schema().dump(row))


@pytest.mark.parametrize("schema", SCHEMAS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_row_may_lack_columns(schema: type[Schema], data: st.DataObject) -> None:
    row = data.draw(rows(schema))
    name = data.draw(st.sampled_from(sorted(set(row) - set(LOOKED_AT))))
    del row[name]
    assert json.dumps(dumper(schema())(row)) == json.dumps(schema().dump(row))


@given(INSTANTS)
def test_an_instant_has_milliseconds_and_is_in_utc(instant: datetime) -> None:
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert event_schemas.mapping({"created": instant}) == {"created": text}
