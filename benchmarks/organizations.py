"""Lists and searches of organizations at 100,000 rows of each: the count and the page of a request."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Text, bindparam, cast, create_engine, func, insert, text, true

from benchmarks import people
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.px.organizations import store
from dhos_connector_api.px.organizations.folding import words
from dhos_connector_api.px.organizations.resources import DEPARTMENT, EMPLOYEE, HOSPITAL, PHYSICIAN, Resource
from dhos_connector_api.px.organizations.store import Wanted

PART = "organizations"
_ROWS, _QUERIES, _BATCH, _PAGE, _HOSPITALS = 100_000, 200, 5_000, 50, 20
_MOST = 50.0
_FIRST = ("Ahmed", "Mohammed", "Sara", "Fatima", "Jürgen", "Anne-Marie", "Nguyễn", "Łukasz", "John", "Mary")
_ARABIC = ("أحمد", "محمد", "سارة", "فاطمة", "إبراهيم", "مصطفى", "عائشة", "خالد", "نورة", "يوسف")
_CITIES = ("Riyadh", "Jeddah", "Dammam", "Abha", "Tabuk")


def measure(bench: Bench) -> list[Row]:
    """p50 and p99 of lists and searches of each resource, beside a query that does nothing."""
    engine = create_engine(bench.database.url(), **engine_options(pool_size=1, statement_timeout=120))
    database = Database(engine, statement_timeout=120)
    try:
        _fill(database)
        rows = _row("bare query (SELECT 1)", _timed(database, lambda one: one.execute(text("SELECT 1"))))
        for resource in (HOSPITAL, DEPARTMENT, PHYSICIAN, EMPLOYEE):
            rows += _of(database, resource)
        with people.admin(bench) as password, bench.web():
            get, _ = people.signed_in(bench, password)
            return [*rows, *_over_http(get)]
    finally:
        engine.dispose()


def _of(database: Database, resource: Resource) -> list[Row]:
    order = next(iter(resource.orders))
    numbers = random.Random(1)
    with database.statements() as connection:
        some = [row["id"] for row in store.after(connection, HOSPITAL, None, _HOSPITALS)]

    def asked(offset: Callable[[], int], wanted: Callable[[], Wanted]) -> list[float]:
        def ask(connection: Connection) -> None:
            which = wanted()
            count = store.count(connection, resource, which, true())
            store.listed(connection, resource, which, true(), offset=offset(), limit=_PAGE, of=count)

        return _timed(database, ask)

    def first() -> int:
        return 0

    def deep() -> int:
        return numbers.randrange(_ROWS - _PAGE)

    found = _row(f"{resource.name}: first page", asked(first, lambda: Wanted(order)))
    found += _row(f"{resource.name}: any page", asked(deep, lambda: Wanted(order)))
    found += _row(
        f"{resource.name}: newest first", asked(first, lambda: Wanted("created_at", descending=True))
    )
    found += _row(
        f"{resource.name}: search by key",
        asked(first, lambda: Wanted(order, search=f"K{numbers.randrange(_ROWS)}")),
    )
    found += _row(
        f"{resource.name}: search by two beginnings",
        asked(first, lambda: Wanted(order, search=f"{numbers.choice(_FIRST)[:3]} {numbers.randrange(1000)}")),
    )
    found += _row(
        f"{resource.name}: search by a name that a tenth has",
        asked(first, lambda: Wanted(order, search=numbers.choice(_ARABIC))),
    )
    column, values = ("city", _CITIES) if resource is HOSPITAL else ("hospital_id", some)
    wanted = lambda: Wanted(order, equal={column: numbers.choice(values)})  # noqa: E731
    return found + _row(f"{resource.name}: one {column}", asked(first, wanted))


def _over_http(get: Callable[[str], None]) -> list[Row]:
    rows: list[Row] = []
    for path in ("hospitals", "departments", "physicians", "employees"):
        asked = {"first page": "", "200 on a page": "?page_size=200", "search for what all have": "?search=k"}
        asked |= {"newest first": "?ordering=-created_at", "those not active": "?status=inactive"}
        for name, query in asked.items():
            times = people.timed(lambda _, to=f"/api/organizations/{path}/{query}": get(to))  # type: ignore[misc]
            rows += people.timed_rows(PART, f"HTTP, {path}: {name}", times, people.MOST)
    return rows


def _timed(database: Database, ask: Callable[[Connection], object]) -> list[float]:
    """Milliseconds of each question, after ten that do not count."""
    times = []
    for number in range(_QUERIES + 10):
        before = time.perf_counter()
        with database.statements() as connection:
            ask(connection)
        if number >= 10:
            times.append((time.perf_counter() - before) * 1000)
    return times


def _row(name: str, milliseconds: list[float]) -> list[Row]:
    note = f"{_ROWS:,} rows"
    return [
        Row(PART, f"{name}, p50", quantile(milliseconds, 0.5), "ms", note=note),
        Row(PART, f"{name}, p99", quantile(milliseconds, 0.99), "ms", most=_MOST, note=note),
    ]


def _fill(database: Database) -> None:
    hospitals: list[UUID] = []
    for resource in (HOSPITAL, DEPARTMENT, PHYSICIAN, EMPLOYEE):
        for start in range(0, _ROWS, _BATCH):
            rows = [_values(resource, number, hospitals) for number in range(start, start + _BATCH)]
            if resource is HOSPITAL:
                hospitals += [row["id"] for row in rows][: _HOSPITALS - len(hospitals)]
            folded = func.string_to_array(cast(bindparam("words"), Text), " ")
            statement = insert(resource.table).values(search=func.array_to_tsvector(folded))
            with database.transaction() as connection:
                connection.execute(statement, rows)
    with database.statements() as connection:
        connection.execute(text("VACUUM ANALYZE hospital, department, physician, employee"))


def _values(resource: Resource, number: int, hospitals: list[UUID]) -> dict[str, Any]:
    at = datetime.now(UTC)
    one, two = _FIRST[number % 10], _ARABIC[(number // 10) % 10]
    values: dict[str, Any] = {"id": clock.new_uuid(at), "created_at": at, "updated_at": at}
    values[resource.fields[resource.key]] = f"K{number}"
    if resource in (HOSPITAL, DEPARTMENT):
        values |= {"name": f"{one} {number % 1000} {number}", "name_ar": f"{two} {number}"}
    else:
        values |= {"first_name": one, "last_name": f"{number % 1000} Last{number}", "first_name_ar": two}
    if resource is HOSPITAL:
        values["city"] = _CITIES[number % 5]
    else:
        values["hospital_id"] = hospitals[number % _HOSPITALS]
    names = [values.get(name) for name in resource.search]
    return values | {"words": " ".join(words(*names))}
