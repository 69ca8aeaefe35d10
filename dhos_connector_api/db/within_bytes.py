"""SQL that takes rows in their order up to so many bytes, and at least one, so that memory is bounded.

    query = first_within("SELECT uuid, octet_length(content) AS size, content FROM ...", order="uuid DESC")
    rows = connection.execute(text(query), {"limit": 100, "most_bytes": PAGE_BYTES, "least": 1})

It gives the first :limit rows that have :most_bytes together, and the first :least (0 or 1) whatever their
size, each with `candidates`, how many rows there were to choose from (ask for one more than :limit to know
whether there are others), and with `bytes`, those up to this row. octet_length() of a text or a bytea knows
how long it is without reading what is stored out of line, and only rows that are chosen are read. A JSONB
knows only how long it is compressed, up to a hundred times less: for it there is `measured_within`, which
reads row by row and stops in time.
"""

from dataclasses import dataclass

#: Bytes of one page of a list: of what is stored, and again of the answer that is made of it.
PAGE_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Bound:
    """The most bytes of rows, and how many there are whatever their size: 1, or 0."""

    most_bytes: int = PAGE_BYTES
    least: int = 1


#: How parameters are written for SQLAlchemy's text(), and for psycopg.
IN_TEXT, IN_PSYCOPG = ":{}", "%({})s"


def first_within(rows: str, *, order: str, values: str = IN_TEXT) -> str:
    """Return the query for the first of `rows`, a query whose columns are in `order` and have a `size`."""
    limit, most_bytes, least = (values.format(each) for each in ("limit", "most_bytes", "least"))
    return f"""
        SELECT * FROM (
            SELECT sized.*, sum(size) OVER in_order AS bytes, row_number() OVER in_order AS place,
                count(*) OVER () AS candidates
            FROM ({rows}) AS sized WINDOW in_order AS (ORDER BY {order} ROWS UNBOUNDED PRECEDING)
        ) AS counted WHERE place <= {limit} AND (bytes <= {most_bytes} OR place <= {least}) ORDER BY place
    """  # noqa: S608  constants only


def measured_within(ids: str, *, table: str, size: str) -> str:
    """Return the common table expressions `listed` (ids) and `chosen` (id, place, bytes), for a query.

    `ids` is a query for ids of `table`, in order; `size` an expression of a row `e` of it, which may have to
    read the row: of those behind the last one that is chosen one is read, and no more.
    """
    return f"""
        WITH RECURSIVE listed AS MATERIALIZED (
            SELECT ARRAY({ids}) AS ids
        ), taken AS (
            SELECT CAST(NULL AS uuid) AS id, 0 AS place, CAST(0 AS bigint) AS bytes
            UNION ALL
            SELECT e.id, taken.place + 1, taken.bytes + {size}
            FROM taken CROSS JOIN listed JOIN {table} e ON e.id = listed.ids[taken.place + 1]
            WHERE taken.place < :limit AND taken.bytes < :most_bytes
        ), chosen AS (
            SELECT id, place, bytes FROM taken WHERE place > 0 AND (bytes <= :most_bytes OR place = 1)
        )
    """  # noqa: S608  constants only
