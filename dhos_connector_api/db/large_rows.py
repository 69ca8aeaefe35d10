"""Rows of many bytes: read in binary, and on a connection that is closed afterwards.

As text a bytea is twice as long, and has to be decoded. And libpq never gives back the buffers of a
connection: each that has carried a message of 10 MB once would hold up to 32 MB in each direction for as long
as it is pooled.
"""

from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import Connection, Engine, event

#: Bytes of one statement, or of its rows, after which its connection is not used again.
LARGE = 4_000_000

_Wire = psycopg.Connection[Any]
_used_up: "WeakSet[_Wire]" = WeakSet()


def in_binary(connection: Connection, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows a statement gives, its parameters as psycopg writes them: `%(name)s`.

    Raises what psycopg raises: `db.engine` knows of its errors what it knows of SQLAlchemy's.
    """
    wire = _wire_of(connection)
    try:
        with wire.cursor(binary=True, row_factory=dict_row) as cursor:
            rows = cursor.execute(statement.encode(), values).fetchall()
    except psycopg.Error:
        if wire.closed:
            connection.invalidate()  # SQLAlchemy has not seen it break
        raise
    carried(wire, sum(len(each) for row in rows for each in row.values() if isinstance(each, bytes | str)))
    return rows


def carried(connection: Connection | _Wire, size: int) -> None:
    """Note that so many bytes went over the connection at once, one way or the other."""
    if size > LARGE:
        _used_up.add(_wire_of(connection) if isinstance(connection, Connection) else connection)


def close_after_large(engine: Engine) -> None:
    """Close a connection of this engine that is given back after it has carried much."""

    def give_back(wire: _Wire | None, record: Any) -> None:
        if wire is not None and wire in _used_up:
            _used_up.discard(wire)
            record.invalidate()

    event.listen(engine, "checkin", give_back)


def _wire_of(connection: Connection) -> _Wire:
    wire: _Wire = connection.connection.driver_connection  # type: ignore[assignment]
    return wire
