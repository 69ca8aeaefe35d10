"""Functions that turn a row into what a marshmallow schema makes of it, by steps that are worked out once.

`Schema.dump` finds out anew for every field of every row where its value is and what to do with it; a
page of a hundred messages has three thousand of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, fields

Dump = Callable[[Mapping[Any, Any]], dict[str, Any]]
_Serialize = Callable[[Any, str, Mapping[Any, Any]], Any]

#: Fields that leave a value of this type as it is.
_UNCHANGED: dict[type, type] = {fields.String: str, fields.Integer: int, fields.Boolean: bool}


class _Nothing:
    """The type of no value: fields that change every value."""


def dumper(schema: Schema) -> Dump:
    """Return a function that gives what `schema.dump` gives of one row, which is a mapping.

    It is for schemas without hooks (`post_dump`), fields that make nothing of None but None, and functions
    of the row.
    """
    columns, functions = [], []
    for name, field in schema.dump_fields.items():
        key = field.data_key or name
        if isinstance(field, fields.Function) and field.serialize_func is not None:
            functions.append((key, field.serialize_func))
        else:
            columns.append((key, field.attribute or name, *_rule(field)))
    names = [field.data_key or name for name, field in schema.dump_fields.items()]
    in_order = dict.fromkeys(names)

    def dump(row: Mapping[Any, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = in_order.copy()
        try:
            for key, attribute, unchanged, serialize in columns:
                value = row[attribute]
                if value is not None:
                    shown[key] = value if type(value) is unchanged else serialize(value, attribute, row)
        except KeyError:  # a row without some of the columns
            whole: dict[str, Any] = schema.dump(row)
            return whole
        for key, function in functions:
            shown[key] = function(row)
        return shown

    return dump


def _rule(field: "fields.Field[Any]") -> tuple[type, _Serialize]:
    """The type of the values that the field leaves as they are, and what it does to others."""
    exact = type(field) in _UNCHANGED and not getattr(field, "as_string", False)
    return _UNCHANGED[type(field)] if exact else _Nothing, field._serialize  # noqa: SLF001  what dump calls
