"""Search by identifier and by control id in a large store: over HTTP, and the query alone."""

import http.client
import random
import time
from collections.abc import Callable
from urllib.parse import quote

from sqlalchemy import create_engine

from benchmarks.fill import CONTROL_ID, HEAVY_MRN, MRN, PATIENTS, fill
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.messages import search

PART = "search"
_QUERIES = 500
_PAGE = 100
_MOST = 10.0
_OK = 200


def measure(bench: Bench) -> list[Row]:
    """p50 and p99 of both searches, over HTTP and as SQL, with the rows asked for."""
    rows = bench.options.rows
    started = time.monotonic()
    fill(bench, rows)
    filled = Row(PART, "time to make the rows", time.monotonic() - started, "s", note=f"{rows:,} messages")
    return [filled, *searches(bench, rows)]


def searches(bench: Bench, rows: int) -> list[Row]:
    """p50 and p99 of both searches in a store that was filled with so many messages."""
    numbers = random.Random(1)
    patients = [MRN.format(numbers.randrange(PATIENTS)) for _ in range(_QUERIES)]
    control_ids = [CONTROL_ID.format(numbers.randrange(1, rows + 1)) for _ in range(_QUERIES)]
    heavy = [HEAVY_MRN] * _QUERIES
    return [
        *_over_sql(bench, patients, control_ids, heavy),
        *_over_http(bench, patients, control_ids, heavy),
    ]


def _rows(name: str, milliseconds: list[float], found: int, *, most: float | None = _MOST) -> list[Row]:
    note = f"{found / len(milliseconds):.0f} messages found"
    return [
        Row(PART, f"{name}, p50", quantile(milliseconds, 0.5), "ms", note=note),
        Row(PART, f"{name}, p99", quantile(milliseconds, 0.99), "ms", most=most, note=note),
    ]


def _timed(ask: Callable[[str], int], values: list[str]) -> tuple[list[float], int]:
    """Milliseconds of each question, after twenty that do not count, and how many messages were found."""
    for value in values[:20]:
        ask(value)
    times, found = [], 0
    for value in values:
        before = time.perf_counter()
        found += ask(value)
        times.append((time.perf_counter() - before) * 1000)
    return times, found


def _over_sql(bench: Bench, patients: list[str], control_ids: list[str], heavy: list[str]) -> list[Row]:
    engine = create_engine(bench.database.url(), **engine_options(pool_size=1))
    database = Database(engine)

    def by_identifier(value: str) -> int:
        with database.statements() as connection:
            return len(search.by_identifier(connection, "MRN", value, limit=_PAGE, before=None).rows)

    def by_control_id(value: str) -> int:
        with database.statements() as connection:
            return len(search.by_control_id(connection, value, limit=_PAGE, before=None).rows)

    try:
        return [
            *_rows("SQL by identifier", *_timed(by_identifier, patients)),
            *_rows("SQL by identifier, full page", *_timed(by_identifier, heavy)),
            *_rows("SQL by control id", *_timed(by_control_id, control_ids)),
        ]
    finally:
        engine.dispose()


def _over_http(bench: Bench, patients: list[str], control_ids: list[str], heavy: list[str]) -> list[Row]:
    headers = {"Authorization": f"Bearer {bench.token('internal')}"}
    with bench.web():
        connection = http.client.HTTPConnection(bench.host)

        def ask(path: str) -> int:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != _OK:
                raise SystemExit(f"search answered {answer.status}: {body[:300]!r}")
            return body.count(b'"message_control_id"')

        def by_identifier(value: str) -> int:
            return ask(f"/dhos/v1/message/search?identifier_type=MRN&identifier={quote(value)}")

        def by_control_id(value: str) -> int:
            return ask(f"/dhos/v1/message/search/{quote(value)}")

        rows = [
            *_rows("HTTP by identifier", *_timed(by_identifier, patients)),
            *_rows("HTTP by identifier, full page", *_timed(by_identifier, heavy), most=10),
            *_rows("HTTP by control id", *_timed(by_control_id, control_ids)),
        ]
        connection.close()
    return rows
