"""One long list in a JSON body, element by element: in memory is the text, and never all its values.

`{"events": [{...}, {...}]}` is walked through once to find where each element begins and ends, so that
a body that breaks off is refused before anything of it is taken. What an element, or another member,
holds is counted before it is read: a few bytes of text can be many of memory. Each element is then a
JSON text of its own, for `JsonBody` to read as strictly as any body.
"""

import json
import re
from collections.abc import Iterator

from dhos_connector_api.errors import BadInput
from dhos_connector_api.spec.bodies import MOST_VALUES, decoded, end_of, has_many_values

#: Members of the body.
MOST_MEMBERS = 100

_SPACE = re.compile(r"[ \t\n\r]*")
_NO_JSON = "the body is not JSON"


def _nothing(_digits: str) -> None:
    """Return nothing: numbers are not worth reading while places are looked for."""


_PLACES = json.JSONDecoder(parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing)


class ListBody:
    """The elements of the list `name`, the one thing a body's object has to hold."""

    def __init__(self, raw: bytes, name: str, most: int) -> None:
        """Find the elements of `raw`. Raises BadInput for what is no such body, has none, or over `most`."""
        self._text = decoded(raw)
        self._name, self._most = name, most
        try:
            self._places = self._find()
        except (json.JSONDecodeError, IndexError):
            raise BadInput(_NO_JSON) from None

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[bytes]:
        """Return each element as a JSON text of its own."""
        for begin, end in self._places:
            yield self._text[begin:end].encode()

    def _find(self) -> list[tuple[int, int]]:
        places: list[tuple[int, int]] | None = None
        names: set[str] = set()
        if self._text[self._after(0)] == "[":
            wanted = f'must be an object that holds the list: {{"{self._name}": [...]}}'
            raise BadInput(f"body: {wanted}", {"body": [wanted]})
        at = self._expect("{", 0)
        while self._text[at] != "}":
            key, at = self._key(at, names)
            at = self._expect(":", at)
            if key != self._name:
                _, at = self._value(at)
            else:
                places, at = self._elements(at)
            at = self._next("}", at)
        if self._after(at + 1) != len(self._text):
            raise BadInput(_NO_JSON)
        if places is None:
            raise BadInput(f"body: {self._name} is missing", {self._name: ["is missing"]})
        if not places:
            raise BadInput(f"body.{self._name}: must not be empty", {self._name: ["must not be empty"]})
        return places

    def _key(self, at: int, names: set[str]) -> tuple[str, int]:
        """Return the name of the member that begins there, which becomes one of `names`."""
        key, at = self._value(at)
        if not isinstance(key, str):
            raise BadInput(_NO_JSON)
        if key in names:
            raise BadInput("the body has an object with the same name twice")
        if len(names) == MOST_MEMBERS:
            raise BadInput(f"the body holds more than {MOST_MEMBERS} members")
        names.add(key)
        return key, at

    def _elements(self, at: int) -> tuple[list[tuple[int, int]], int]:
        if self._text[at] != "[":
            raise BadInput(f"body.{self._name}: must be a list", {self._name: ["must be a list"]})
        places: list[tuple[int, int]] = []
        at = self._after(at + 1)
        while self._text[at] != "]":
            if len(places) == self._most:
                raise BadInput(f"the body holds more than {self._most} {self._name}")
            begin = at
            _, at = self._read(at)
            places.append((begin, at))
            at = self._next("]", self._after(at))
        return places, self._after(at + 1)

    def _value(self, at: int) -> tuple[object, int]:
        value, at = self._read(at)
        return value, self._after(at)

    def _read(self, at: int) -> tuple[object, int]:
        """Return the value that begins there, if it holds no more than it may, and its end."""
        if self._text[at] in "[{":
            self._count(at)
        return _PLACES.raw_decode(self._text, at)

    def _count(self, begin: int) -> None:
        end = end_of(self._text, begin)
        if end is None:
            raise BadInput(_NO_JSON)
        if has_many_values(self._text, begin, end):
            raise BadInput(f"the body holds an element of more than {MOST_VALUES} values")

    def _next(self, end: str, at: int) -> int:
        """Return where the next member begins, or `end` stands."""
        if self._text[at] == end:
            return at
        at = self._expect(",", at)
        if self._text[at] == end:
            raise BadInput(_NO_JSON)
        return at

    def _expect(self, sign: str, at: int) -> int:
        at = self._after(at)
        if self._text[at] != sign:
            raise BadInput(_NO_JSON)
        return self._after(at + 1)

    def _after(self, at: int) -> int:
        """Return the next place that is no white space."""
        found = _SPACE.match(self._text, at)
        return found.end() if found else at
