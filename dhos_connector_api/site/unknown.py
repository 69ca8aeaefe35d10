"""The entries of a site's configuration that its schema does not know."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields


def without_unknown(schema: Schema, data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the data without entries that `schema` does not know, at any depth, and the paths of these.

    What has another shape than the schema says stays as it is: loading tells of it.
    """
    paths: list[str] = []
    return _known(schema, data, "", paths), paths


def _known(schema: Schema, data: Mapping[str, Any], path: str, paths: list[str]) -> dict[str, Any]:
    known = {}
    for name, value in data.items():
        field = schema.fields.get(name)
        if field is None:
            paths.append(f"{path}{name}")
        else:
            known[name] = _value(field, value, f"{path}{name}", paths)
    return known


def _value(field: "fields.Field[Any]", value: Any, path: str, paths: list[str]) -> Any:
    if isinstance(field, fields.Nested) and isinstance(value, dict):
        return _known(field.schema, value, f"{path}.", paths)
    if isinstance(field, fields.List) and isinstance(value, list):
        return [_value(field.inner, each, f"{path}.{place}", paths) for place, each in enumerate(value)]
    if isinstance(field, fields.Dict) and field.value_field is not None and isinstance(value, dict):
        return {
            name: _value(field.value_field, each, f"{path}.{name}", paths) for name, each in value.items()
        }
    return value
