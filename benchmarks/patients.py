"""Lists and searches of patients at 1,000,000 (`--patients`) of them: p50 and p99 of each kind."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, create_engine, text, true

from benchmarks.database import connect
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.px.organizations import patient_search
from dhos_connector_api.px.organizations.folding import words
from dhos_connector_api.px.organizations.models import PatientRow

PART = "patients"
_QUERIES, _PAGE, _MOST = 100, 50, 50.0
_HOSPITALS = [UUID(int=1000 + each) for each in range(20)]
_START = datetime(2020, 1, 1, tzinfo=UTC)
#: With how many of a hundred have it; the rest are names made of syllables, each rare.
_FIRST = {"Mohammed": 12, "Ahmed": 8, "Fatima": 6, "Sara": 4, "John": 3, "Jürgen": 1, "Nguyễn": 1}
_ARABIC = {"محمد": 12, "أحمد": 8, "فاطمة": 6, "سارة": 4, "يوسف": 3, "إبراهيم": 2, "عائشة": 1}
_LAST = {"Al-Ghamdi": 5, "Al-Harbi": 4, "Khan": 3, "Smith": 2, "Müller": 1}
_SYLLABLES = ("ka", "ri", "mo", "sha", "tu", "le", "ban", "wi", "zor", "dem", "fa", "ny", "ghu", "ost", "pel")
_CITIES = {"Riyadh": 40, "Jeddah": 25, "Dammam": 15, "Abha": 5, "Tabuk": 1}
_COLUMNS = (
    "id, created_at, updated_at, hospital_id, mrn, first_name, last_name, first_name_ar, last_name_ar,"
    " date_of_birth, gender, phone, phone_e164, email, city, status, merged_into, search"
)

Ask = Callable[[Connection], object]


def measure(bench: Bench) -> list[Row]:
    """p50 and p99 of each kind, beside a query by the primary key."""
    number = bench.options.patients
    started = time.monotonic()
    ids = _fill(bench, number)
    rows = [Row(PART, "time to make the rows", time.monotonic() - started, "s", note=f"{number:,} patients")]
    engine = create_engine(bench.database.url(), **engine_options(pool_size=1, statement_timeout=120))
    database = Database(engine, statement_timeout=120)
    chance = random.Random(1)
    by_key = text("SELECT * FROM patient WHERE id = :id")
    try:
        rows += _row(
            "bare query by the key", database, lambda one: one.execute(by_key, {"id": chance.choice(ids)})
        )
        for name, made in _kinds(chance, number):
            rows += _row(name, database, _asking(made))
        return rows
    finally:
        engine.dispose()


def _asking(made: Callable[[], dict[str, Any]]) -> Ask:
    def ask(connection: Connection) -> object:
        how: dict[str, Any] = {"ordering": "-created_at", "page": 1, "seen": true()} | made()
        seen: ColumnElement[bool] = how.pop("seen")
        ordering, page = how.pop("ordering"), how.pop("page")
        return patient_search.find(connection, seen, how, ordering=ordering, page=page, page_size=_PAGE)

    return ask


def _kinds(chance: random.Random, number: int) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    def one() -> int:
        return chance.randrange(number)

    def seen() -> ColumnElement[bool]:
        column: ColumnElement[UUID] = PatientRow.__table__.c.hospital_id
        return column == chance.choice(_HOSPITALS)

    yield "list, first page", dict
    yield "list, any page that is counted", lambda: {"page": chance.randrange(1, 200)}
    yield "list by last name", lambda: {"ordering": "last_name", "page": chance.randrange(1, 20)}
    yield "list, youngest first", lambda: {"ordering": "-date_of_birth"}
    yield "list of a hospital by last name", lambda: {"ordering": "last_name", "seen": seen()}
    yield "list of a city, common or rare", lambda: {"city": chance.choice(("riyadh", "TABUK", "Nowhere"))}
    yield (
        "list of a hospital, a gender, a city",
        lambda: {"gender": "female", "city": "Tabuk", "seen": seen()},
    )
    yield "list of the inactive", lambda: {"status": "inactive"}
    yield "search by MRN", lambda: {"search": f"MRN{one():08}"}
    yield "search by MRN of one merged", lambda: {"search": f"MRN{one() // 100 * 100 + 99:08}"}
    yield "search by another identifier", lambda: {"search": f"9{one():09}"}
    yield "search by phone", lambda: {"search": f"+966 5 {one():08}"}
    yield "search by the phone that 2 of 100 have", lambda: {"search": "050 000 0000"}
    yield "search by e-mail", lambda: {"search": f"P{one()}@example.org"}
    yield "search by a rare name", lambda: {"search": _rare(chance)}
    yield (
        "search by two beginnings",
        lambda: {"search": f"{chance.choice(list(_FIRST))[:3]} {_rare(chance)[:5]}"},
    )
    yield "search by a common name", lambda: {"search": chance.choice([*_FIRST, *_ARABIC, *_LAST])}
    yield (
        "search by two common names",
        lambda: {"search": f"{chance.choice([*_FIRST])} {chance.choice([*_LAST])}"},
    )
    yield (
        "search by a common name, by last name",
        lambda: {
            "search": chance.choice([*_FIRST, *_LAST]),
            "ordering": "last_name",
        },
    )
    yield "search by a letter", lambda: {"search": chance.choice("abkmsz")}
    yield (
        "search by three letters",
        lambda: {"search": f"{chance.choice('kms')} {chance.choice('afz')} {chance.choice('alq')}"},
    )
    yield "search by what nobody has", lambda: {"search": f"{chance.choice(list(_FIRST))} xqxq"}
    yield (
        "search by a common name in a hospital",
        lambda: {"search": chance.choice([*_FIRST]), "seen": seen()},
    )
    yield "search by a rare name in a hospital", lambda: {"search": _rare(chance), "seen": seen()}


def _row(name: str, database: Database, ask: Ask) -> list[Row]:
    """Milliseconds of each question, after ten that do not count."""
    times = []
    for number in range(_QUERIES + 10):
        before = time.perf_counter()
        with database.statements() as connection:
            ask(connection)
        if number >= 10:
            times.append((time.perf_counter() - before) * 1000)
    return [
        Row(PART, f"{name}, p50", quantile(times, 0.5), "ms"),
        Row(PART, f"{name}, p99", quantile(times, 0.99), "ms", most=_MOST),
    ]


def _fill(bench: Bench, number: int) -> list[UUID]:
    """Store so many patients by COPY, in hospitals of which the first is the largest; return some ids."""
    chance = random.Random(7)
    ids = [UUID(int=chance.getrandbits(128), version=4) for _ in range(number)]
    hospital = (
        b"INSERT INTO hospital (id, created_at, updated_at, code, name) VALUES (%s, now(), now(), %s, %s)"
    )
    with connect(bench.database) as connection, connection.cursor() as cursor:
        cursor.executemany(hospital, [(each, f"H{n}", f"Hospital {n}") for n, each in enumerate(_HOSPITALS)])
        with cursor.copy(f"COPY patient ({_COLUMNS}) FROM STDIN".encode()) as copy:
            for n in range(number):
                copy.write_row(_patient(chance, ids, n))
        numbers = b"COPY patient_identifier (patient_id, authority, type, value, created_at) FROM STDIN"
        with cursor.copy(numbers) as copy:
            for n, id_ in enumerate(ids):
                copy.write_row((id_, "h", "MRN", f"MRN{n:08}", _START))
                copy.write_row((id_, "NHS", "NHS number", f"9{n:09}", _START))
        cursor.execute(b"VACUUM ANALYZE patient, patient_identifier, hospital")
    return ids[:10_000]


def _patient(chance: random.Random, ids: list[UUID], n: int) -> list[Any]:
    names = [_some(chance, each) for each in (_FIRST, _LAST, _ARABIC, _LAST)]
    at = _START + timedelta(seconds=n * 100)
    phone = "+966500000000" if chance.random() < 0.02 else f"+9665{n:08}"
    return [
        *(ids[n], at, at, _HOSPITALS[min(int(chance.expovariate(0.2)), 19)], f"MRN{n:08}", *names),
        date(1930, 1, 1) + timedelta(days=chance.randrange(34_000)),
        chance.choices(("male", "female", "unknown"), (50, 49, 1))[0],
        *(phone, phone, f"p{n}@example.org", _some(chance, _CITIES)),
        "inactive" if chance.random() < 0.01 else "active",
        ids[n - 1] if n % 100 == 99 else None,
        " ".join(f"'{word}'" for word in words(*names)),
    ]


def _some(chance: random.Random, names: dict[str, int]) -> str:
    rest = 100 - sum(names.values())
    return chance.choices([*names, ""], [*names.values(), rest])[0] or _rare(chance)


def _rare(chance: random.Random) -> str:
    return "".join(chance.choices(_SYLLABLES, k=4)).capitalize()
