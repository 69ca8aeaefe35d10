"""What a line of an import does, whatever the kind: made, changed, the same already, or refused and why."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api.errors import Details

#: Values that differ: what it was, and what it is.
Differences = Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file by its number, from 1 on; `values` are those of the columns that it has."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a line. `sign` is + (made), ~ (changed), = (the same) or ! (refused, with `details`).

    `object_id` and `hospital_id` are of what was made or changed, `fields` the names of what is another now.
    """

    line: Line
    sign: str
    key: str
    differences: Differences = field(default_factory=dict)
    details: Details = field(default_factory=dict)
    object_id: UUID | None = None
    hospital_id: UUID | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What an import is given from outside: the moment, new ids, and how a text of a kind is checked.

    `check` returns what of the fields of a new one does not fit the specification, by the kind's name.
    """

    at: datetime
    new_id: Callable[[], UUID]
    check: Callable[[str, Mapping[str, Any]], Details]


class Kind(Protocol):
    """One kind of thing that can be imported and exported.

    Its `columns` are those of a file. Lines of a kind that refers to itself are put in an order in which each
    comes after what it refers to.
    """

    @property
    def name(self) -> str:
        """Return its name on the command line."""

    @property
    def columns(self) -> Sequence[str]:
        """Return the columns of its files."""

    def ordered(self, lines: Sequence[Line]) -> Iterable[Line]:
        """Return the lines in the order they are taken in."""

    def take(self, connection: Connection, line: Line, given: Given) -> Outcome:
        """Store what a line says, or say why not; `connection` is a transaction's."""

    def lines(self, connection: Connection, after: UUID | None) -> Sequence[tuple[UUID, Mapping[str, Any]]]:
        """Return the next rows after that id as values of an export, with their ids."""
