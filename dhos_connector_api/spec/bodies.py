"""JSON bodies, strictly: what PostgreSQL or a consumer could not hold is a 400 here, never a 500 later.

Beyond RFC 8259: UTF-8 only, no NaN or Infinity, no key twice, no NUL, no lone surrogate, bounded
nesting and numbers; a byte order mark is skipped. A number without a fraction is an integer however it is
written (1012345678.0, 1.012345678E9): senders whose language knows one kind of number write ids so. No text
of an error quotes the body; places are named as the specification names them.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

from connexion.json_schema import Draft4RequestValidator
from jsonschema import Draft4Validator

from dhos_connector_api.errors import BadInput
from dhos_connector_api.spec.compiled import compiled
from dhos_connector_api.spec.wording import explain, faults

#: Deeper than any body of the specification, and far from the interpreter's own limit.
MOST_LEVELS = 64
#: Lists and objects in one body; reading millions of them would take seconds.
MOST_COLLECTIONS = 10_000
#: Values in one body (members of objects, elements of lists); a few bytes of text can be many of memory.
MOST_VALUES = 100_000
#: Faults in one answer.
MOST_FAULTS = 100
#: Integers are those of PostgreSQL's bigint: 64 bits.
LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**63 - 1
_MOST_DIGITS = 20  # with a sign; more of them are not read at all

# Up to and with the next bracket outside of strings, or the end; possessive, so linear even when a string
# never ends.
_TO_BRACKET = re.compile(
    r'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+(?:(?P<opening>[\[{])|(?P<closing>[\]}])|\Z)', re.DOTALL
)
# Strings as a whole, and the commas outside of them.
_COMMAS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|,', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(raw: bytes, *, as_written: bool = False) -> Any:
    """Return the value of a JSON text. Raises BadInput for everything that is not one, in linear time.

    With `as_written` 37.0 stays a float, whose decimals say how exact it is.
    """
    text = decoded(raw)
    if text.count("[") + text.count("{") > MOST_LEVELS:
        end_of(text)
    if has_many_values(text, 0, len(text)):
        raise BadInput(f"the body holds more than {MOST_VALUES} values")
    try:
        value = (_AS_WRITTEN if as_written else _DECODER).decode(text)
    except json.JSONDecodeError:
        raise BadInput("the body is not JSON") from None
    if "\\u" in text:  # the only way to write a NUL or a lone surrogate
        _check_texts(value)
    return value


def decoded(raw: bytes) -> str:
    """Return the text of a JSON body, without a byte order mark. Raises BadInput where it is not UTF-8."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("the body is not UTF-8") from None


def end_of(text: str, begin: int = 0) -> int | None:
    """Return where the list or object that begins there ends; None where it does not.

    Raises BadInput where it holds more lists and objects, or deeper ones, than a body may.
    """
    depth = collections = 0
    for match in _TO_BRACKET.finditer(text, begin):
        if match.lastgroup == "opening":
            depth += 1
            collections += 1
            if collections > MOST_COLLECTIONS:
                raise BadInput(f"the body holds more than {MOST_COLLECTIONS} lists and objects")
            if depth > MOST_LEVELS:
                raise BadInput(f"the body is nested deeper than {MOST_LEVELS} levels")
        elif match.lastgroup == "closing":
            depth -= 1
            if depth == 0:
                return match.end()
    return None


def has_many_values(text: str, begin: int, end: int) -> bool:
    """Return whether that part of a JSON text holds more than MOST_VALUES values."""
    if text.count(",", begin, end) < MOST_VALUES:
        return False
    commas = (found for found in _COMMAS.finditer(text, begin, end) if found[0] == ",")
    return next(islice(commas, MOST_VALUES - 1, None), None) is not None


def _check_texts(value: Any) -> None:
    for text in _texts(value):
        if "\0" in text or _SURROGATE.search(text):
            raise BadInput("the body holds a NUL or half a surrogate pair")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _texts(each)


def _integer(digits: str) -> int:
    number = int(digits) if len(digits) <= _MOST_DIGITS else MOST_INTEGER + 1
    if not LEAST_INTEGER <= number <= MOST_INTEGER:
        raise BadInput("the body holds a number that is too large")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise BadInput("the body holds a number that is too large")
    return number


def _number(digits: str) -> int | float:
    """The number; an integer where it is one, and not too large for one.

    With an exponent it was a float to its sender too: what no float is exactly is left as it is, and so is
    what has an exponent beyond those of a Decimal.
    """
    number = _float(digits)
    if number.is_integer() and abs(number) <= -LEAST_INTEGER:
        try:
            exact = Decimal(digits)
        except InvalidOperation:
            return number
        if exact == exact.to_integral_value() and LEAST_INTEGER <= exact <= MOST_INTEGER:
            whole = int(exact)
            return whole if whole == number or "e" not in digits.lower() else number
    return number


def _constant(_name: str) -> float:
    raise BadInput("the body is not JSON: NaN and Infinity are none")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput("the body has an object with the same name twice")
    return found


_DECODER = json.JSONDecoder(
    parse_int=_integer, parse_float=_number, parse_constant=_constant, object_pairs_hook=_object
)
_AS_WRITTEN = json.JSONDecoder(
    parse_int=_integer, parse_float=_float, parse_constant=_constant, object_pairs_hook=_object
)


class JsonBody:
    """Checks the bodies of one operation against its schema, compiled once.

    What fits is known from the compiled schema; only what does not is looked through by the validator
    that can say why.
    """

    def __init__(self, schema: dict[str, Any], *, explains: bool = True) -> None:
        self._fits = compiled(schema)
        self._schema, self._explains = schema, explains
        self._as_written = bool(schema.get("x-numbers-as-written"))
        self._validator = Draft4RequestValidator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)

    def brief(self) -> "JsonBody":
        """Return the same check, whose `faults` say of what does not fit no more than that."""
        return JsonBody(self._schema, explains=False)

    def inside(self, *path: str) -> "JsonBody":
        """Return the check of a part, by its place in the schema."""
        schema: Any = self._schema
        for step in path:
            schema = schema[step]
        return JsonBody(schema)

    def value(self, raw: bytes, *, by_field: bool = False) -> Any:
        """Return the parsed body. Raises BadInput when there is none, or when it does not fit the schema.

        With `by_field` the error's `details` say all that does not fit.
        """
        if not raw:
            raise BadInput("the request needs a body")
        value = parse(raw, as_written=self._as_written)
        if self._as_written and not self._fits(value):
            value = parse(raw)
        if not self._fits(value):
            error = next(self._validator.iter_errors(value), None)
            if error is not None:
                raise BadInput(explain(error), self.faults(value) if by_field else None)
        return value

    def faults(self, value: Any) -> dict[str, list[str]]:
        """Return what of a parsed body does not fit, by field (`actions[0].name`); empty where all does.

        At most MOST_FAULTS of them.
        """
        found: dict[str, list[str]] = {}
        if self._fits(value):
            return found
        if not self._explains:
            return {"body": ["does not fit"]}
        errors = self._validator.iter_errors(value)
        for path, text in islice((fault for error in errors for fault in faults(error)), MOST_FAULTS):
            texts = found.setdefault(_field(path) or "body", [])
            if text not in texts:
                texts.append(text)
        return found


def _field(path: Iterable[Any]) -> str:
    """`actions[0].name`: the place in the body; only names of the schema can be part of it."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")
