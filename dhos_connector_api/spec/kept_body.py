"""Bodies that are kept whatever they are: what the specification says of one, as a value and not an error."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from connexion.spec import Specification

from dhos_connector_api.errors import BadInput, Details
from dhos_connector_api.log import where
from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.bodies import JsonBody, parse

_Judged = TypeVar("_Judged")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckedBody:
    """A body checked against the specification: its value, or why it does not fit.

    `value` is None, and `is_json` False, for what is no JSON at all. `failed`: a fault of ours kept us
    from finding out; the body is kept all the same, to be replayed.
    """

    value: Any = None
    details: Details | None = None
    is_json: bool = True
    failed: bool = False


def shape_of(raw: bytes, check: JsonBody | None) -> CheckedBody:
    """Return the parsed body, and what of it does not fit. Without a `check` everything fits."""
    try:
        value = parse(raw)
    except BadInput as error:
        return CheckedBody(details={"body": [error.text.removeprefix("the body ")]}, is_json=False)
    return CheckedBody(value, check.faults(value) if check else {})


def body_of(raw: bytes, check: JsonBody | None, judge: Callable[[CheckedBody], _Judged]) -> _Judged:
    """Return what `judge` makes of the body; where we fail at finding out, what it makes of a `failed` one.

    So a fault of ours loses nobody's body: it is kept, and taken by a replay once we are mended.
    """
    try:
        return judge(shape_of(raw, check))
    except Exception as error:  # noqa: BLE001  as with HL7, what was received is kept whatever happens
        _log.error("a body could not be read", extra={"cause": where(error)})
        return judge(CheckedBody(is_json=False, failed=True))


@cache
def check_of(operation: str) -> JsonBody:
    """Return how bodies of that operation are checked, for those who read stored ones again."""
    document = dict(Specification.load(specification.load()))
    operations = {each.id: each for each in specification.operations(document)}
    body = operations[operation].definition["requestBody"]
    return JsonBody(body["content"]["application/json"]["schema"])
