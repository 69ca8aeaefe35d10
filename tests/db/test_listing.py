"""Lists by numbered pages: counted up to a bound, and the same pages by whichever way they are looked for."""

from collections.abc import Iterator

import pytest
from sqlalchemy import ColumnElement, Connection, column, select, table, text, true

from dhos_connector_api.db.engine import Database
from dhos_connector_api.db.listing import MOST_COUNTED, Part, counted, ids_of_page

_ROWS = MOST_COUNTED + 25
_THING = table("thing", column("id"), column("name"))


@pytest.fixture
def things(database: Database) -> Iterator[Connection]:
    """A table of more rows than are counted, whose names go the other way round."""
    with database.statements() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE thing (id int PRIMARY KEY, name int)"))
        rows = text(f"INSERT INTO thing SELECT n, -(n / 2) FROM generate_series(1, {_ROWS}) n")
        connection.execute(rows)
        yield connection
        connection.execute(text("DROP TABLE thing"))


def test_a_list_is_counted_up_to_a_bound(things: Connection) -> None:
    assert counted(things, select(_THING.c.id)) == MOST_COUNTED
    assert counted(things, select(_THING.c.id).where(_THING.c.id <= MOST_COUNTED - 1)) == MOST_COUNTED - 1


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("found", [None, _THING.c.id > 0, _THING.c.id % 3 > 0])
@pytest.mark.parametrize("most", [40, _ROWS])
def test_a_page_is_the_same_whichever_way_it_is_looked_for(
    things: Connection, most: int, found: ColumnElement[bool] | None, descending: bool
) -> None:
    where, keys = _THING.c.id <= most, (_THING.c.name, _THING.c.id)
    order = [key.desc() if descending else key.asc() for key in keys]
    whole = select(_THING.c.id).where(where, true() if found is None else found).order_by(*order)
    ids = things.execute(whole).scalars().all()
    for of in (None, min(len(ids), MOST_COUNTED)):
        for offset in (0, 3, len(ids) // 2 + 1, len(ids) - 4, len(ids), len(ids) + 9):
            part = Part(offset, 7, of, descending)
            page = ids_of_page(_THING.c.id, keys, part, where=where, found=found)
            assert sorted(things.execute(page).scalars()) == sorted(ids[offset : offset + 7])
