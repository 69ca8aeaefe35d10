"""One long list in a JSON body, element by element: in memory is the text, and never all its values.

`{"events": [{...}, {...}]}` is walked through once to find where each element begins and ends, so that
a body that breaks off is refused before anything of it is taken. Each element is then a JSON text of
its own, for `JsonBody` to read as strictly as any body.
"""

import json
import re
from collections.abc import Iterator

from dhos_connector_api.errors import BadInput

_SPACE = re.compile(r"[ \t\n\r]*")
_NO_JSON = "the body is not JSON"


def _nothing(_digits: str) -> None:
    """Numbers are not worth reading while places are looked for."""


_PLACES = json.JSONDecoder(parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing)


class ListBody:
    """The elements of the list `name`, the one thing a body's object has to hold."""

    def __init__(self, raw: bytes, name: str, most: int) -> None:
        """Find the elements of `raw`. Raises BadInput for what is no such body, or has over `most`."""
        try:
            self._text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise BadInput("the body is not UTF-8") from None
        self._name, self._most = name, most
        try:
            self._places = self._find()
        except RecursionError:
            raise BadInput("the body is nested too deep") from None
        except (json.JSONDecodeError, IndexError):
            raise BadInput(_NO_JSON) from None

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[bytes]:
        """Each element as a JSON text of its own."""
        for begin, end in self._places:
            yield self._text[begin:end].encode()

    def _find(self) -> list[tuple[int, int]]:
        places: list[tuple[int, int]] | None = None
        at = self._expect("{", 0)
        while self._text[at] != "}":
            key, at = self._value(at)
            at = self._expect(":", at)
            if key != self._name:
                _, at = self._value(at)
            elif places is not None:
                raise BadInput("the body has an object with the same name twice")
            else:
                places, at = self._elements(at)
            at = self._next("}", at)
        if self._after(at + 1) != len(self._text):
            raise BadInput(_NO_JSON)
        if places is None:
            raise BadInput(f"body: {self._name} is missing", {self._name: ["is missing"]})
        return places

    def _elements(self, at: int) -> tuple[list[tuple[int, int]], int]:
        if self._text[at] != "[":
            raise BadInput(
                f"body.{self._name}: must be of type array", {self._name: ["must be of type array"]}
            )
        places: list[tuple[int, int]] = []
        at = self._after(at + 1)
        while self._text[at] != "]":
            if len(places) == self._most:
                raise BadInput(f"the body holds more than {self._most} {self._name}")
            begin = at
            _, at = _PLACES.raw_decode(self._text, at)
            places.append((begin, at))
            at = self._next("]", self._after(at))
        return places, self._after(at + 1)

    def _value(self, at: int) -> tuple[object, int]:
        value, at = _PLACES.raw_decode(self._text, at)
        return value, self._after(at)

    def _next(self, end: str, at: int) -> int:
        """Where the next member begins, or `end` stands."""
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
        """The next place that is no white space."""
        found = _SPACE.match(self._text, at)
        return found.end() if found else at
