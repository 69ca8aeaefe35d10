"""Lists and searches of journeys, templates and stages, as requests ask them, beside a bare query."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, text, true

from benchmarks import people
from benchmarks.harness import Bench
from benchmarks.journey_rows import HOSPITALS
from benchmarks.table import Row, quantile
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.journeys import journey_list, search, stage_list, template_store
from dhos_connector_api.px.journeys.journey_list import Wanted
from dhos_connector_api.px.journeys.resources import STAGE, TEMPLATE
from dhos_connector_api.px.organizations.store import Wanted as WantedTemplates

PART = "journeys"
_QUERIES, _PAGE, _MOST = 100, 50, 50.0
_NAMES = ("Mohammed", "Fatima", "John", "Layla")
_PATHS = {
    "journeys, first page": "instances/",
    "journeys, 200 on a page": "instances/?page_size=200",
    "journeys, page 150": "instances/?page=150",
    "journeys that are active": "instances/?status=active",
    "journeys, search by a name": "instances/?search=Fatima",
    "templates": "templates/",
    "stages": "stage-instances/",
}

Ask = Callable[[Connection], object]


def measure(bench: Bench, database: Database) -> list[Row]:
    """p50 and p99 of each kind of question, in SQL and over HTTP."""
    count = bench.count("SELECT count(*) FROM journey_instance")
    note, chance = f"{count:,} journeys", random.Random(1)
    rows = _row("bare query (SELECT 1)", database, lambda one: one.execute(text("SELECT 1")), note)
    for name, ask in (*_journeys(chance, _some(bench, "journey_instance"), count), *_stages(bench, chance)):
        rows += _row(name, database, ask, note)
    for resource in (TEMPLATE, STAGE):
        rows += _row(f"{resource.name}: first page", database, _templates(resource), note)
    with people.admin(bench) as password, bench.web():
        get, _ = people.signed_in(bench, password)
        for name, path in _PATHS.items():
            times = people.timed(lambda _, to=f"/api/journeys/{path}": get(to))  # type: ignore[misc]
            rows += people.timed_rows(PART, f"HTTP, {name}", times, _MOST)
    return rows


def _some(bench: Bench, table: str) -> list[dict[str, Any]]:
    """Some rows of a table, anywhere in it, as their ids are by chance."""
    query = f"SELECT to_jsonb(one) FROM {table} AS one ORDER BY id LIMIT 500"
    with bench.connect() as connection:
        return [row for (row,) in connection.execute(query.encode()).fetchall() if isinstance(row, dict)]


def _journeys(chance: random.Random, some: list[dict[str, Any]], count: int) -> Iterator[tuple[str, Ask]]:
    def one(column: str) -> Any:
        return chance.choice(some)[column]

    def asked(**more: Callable[[], Any]) -> Ask:
        def ask(connection: Connection) -> object:
            made = {name: make() for name, make in more.items()}
            how: dict[str, Any] = {"seen": true(), "filters": made, "limit": _PAGE}
            how |= {name: made.pop(name) for name in ("seen", "ordering", "offset") if name in made}
            return search.find(connection, Wanted(**how))

        return ask

    def own() -> ColumnElement[bool]:
        condition: ColumnElement[bool] = journey_list.HOSPITAL_ID.in_([chance.choice(HOSPITALS)])
        return condition

    yield "journeys, first page", asked()
    yield "journeys, by status", asked(ordering=lambda: "status")
    yield "journeys, page 150", asked(offset=lambda: 149 * _PAGE)
    yield "journeys, any page", asked(offset=lambda: chance.randrange(max(1, count - _PAGE)))
    yield "journeys of a hospital", asked(hospital=lambda: chance.choice(HOSPITALS))
    yield "journeys of a hospital, seen by it, by status", asked(seen=own, ordering=lambda: "-status")
    yield "journeys of a status", asked(status=lambda: chance.choice(("active", "cancelled", "completed")))
    yield "journeys of a status, seen by a hospital", asked(seen=own, status=lambda: "active")
    yield "journeys of a template", asked(journey_template=lambda: UUID(one("journey_template_id")))
    yield (
        "journeys of a template and status, seen by a hospital",
        asked(seen=own, journey_template=lambda: UUID(one("journey_template_id")), status=lambda: "active"),
    )
    yield "journeys of a type", asked(journey_template__journey_type=lambda: "opd")
    yield "journeys of a type that none has", asked(journey_template__journey_type=lambda: "day_case")
    yield (
        "journeys of a type, seen by a hospital",
        asked(seen=own, journey_template__journey_type=lambda: "opd"),
    )
    yield "journeys of a patient", asked(patient=lambda: UUID(one("patient_id")))
    yield "journeys, search by encounter", asked(search=lambda: one("encounter_id"))
    yield "journeys, search by MRN", asked(search=lambda: f"JM{chance.randrange(1, 1000)}")
    yield "journeys, search by a rare name", asked(search=lambda: f"Last{chance.randrange(100)}")
    yield "journeys, search by a common name", asked(search=lambda: chance.choice(_NAMES))
    yield (
        "journeys, search by a common name, seen by a hospital",
        asked(search=lambda: chance.choice(_NAMES), seen=own),
    )
    yield "journeys, search by what nobody has", asked(search=lambda: "Xqxq")


def _stages(bench: Bench, chance: random.Random) -> Iterator[tuple[str, Ask]]:
    some = _some(bench, "stage_instance")

    def asked(offset: int = 0, seen: ColumnElement[bool] | None = None, **more: Callable[[], Any]) -> Ask:
        def ask(connection: Connection) -> object:
            filters = {name: make() for name, make in more.items()}
            condition = true() if seen is None else seen
            return stage_list.listed(connection, condition, filters, offset, _PAGE)

        return ask

    own = stage_list.HOSPITAL_ID.in_(HOSPITALS[:1])

    def template() -> UUID:
        return UUID(chance.choice(some)["stage_template_id"])

    yield "stages, first page", asked()
    yield "stages, page 150", asked(149 * _PAGE)
    yield "stages, seen by a hospital", asked(seen=own)
    yield "stages of a journey", asked(journey_instance=lambda: UUID(chance.choice(some)["journey_id"]))
    yield "stages of a template's stage", asked(stage_template=template)
    yield (
        "stages of a template's stage that are pending",
        asked(stage_template=template, status=lambda: "pending"),
    )
    yield "stages of a status", asked(status=lambda: chance.choice(("pending", "completed", "cancelled")))
    yield "stages of a status that none has", asked(status=lambda: "in_progress")
    yield "stages of a status, seen by a hospital", asked(seen=own, status=lambda: "pending")


def _templates(resource: Any) -> Ask:
    wanted = WantedTemplates(next(iter(resource.orders)))

    def ask(connection: Connection) -> object:
        count = template_store.count(connection, resource, wanted, true())
        return template_store.listed(connection, resource, wanted, true(), offset=0, limit=_PAGE, of=count)

    return ask


def _row(name: str, database: Database, ask: Ask, note: str) -> list[Row]:
    """Milliseconds of each question, after ten that do not count."""
    times = []
    for number in range(_QUERIES + 10):
        before = time.perf_counter()
        with database.statements() as connection:
            ask(connection)
        if number >= 10:
            times.append((time.perf_counter() - before) * 1000)
    return [
        Row(PART, f"{name}, p50", quantile(times, 0.5), "ms", note=note),
        Row(PART, f"{name}, p99", quantile(times, 0.99), "ms", most=_MOST, note=note),
    ]
