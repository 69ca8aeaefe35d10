"""The audit trail at 1,000,000 (`--entries`) entries: recorded, read in pages, sealed and verified."""

import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
from sqlalchemy import create_engine, text

from benchmarks import machine, people
from benchmarks.database import connect
from benchmarks.harness import Bench
from benchmarks.table import Row
from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from dhos_connector_api.db.months import months
from dhos_connector_api.px.audit.entry import Entry
from dhos_connector_api.px.audit.listing import MOST_COUNTED
from dhos_connector_api.px.audit.periodic import make_partitions
from dhos_connector_api.px.audit.seal import seal_next
from dhos_connector_api.px.audit.store import record
from dhos_connector_api.px.audit.verify import verify

PART = "audit"
#: The entries are of so many days, and so many of them of each transaction.
_DAYS, _TOGETHER = 300, 50
#: Of every hundred: what was done. Most of what is written down is that somebody looked.
_ACTIONS = {"look": 70, "change": 15, "create": 8, "export": 4, "deactivate": 2, "assign_role": 1}
_TYPES = ("patient", "user", "physician", "employee", "department", "hospital")
_HOSPITALS = [UUID(int=1000 + each) for each in range(20)]
_USERS = [UUID(int=2000 + each) for each in range(500)]
_OBJECTS = 50_000
#: A page that is asked for, and rounds in which entries and bare rows take turns.
_PAGE, _ROUNDS = 50, 5
_COLUMNS = "id, at, actor_kind, actor_id, action, object_type, object_id, hospital_id, request_id, fields"
_INSERT = f"INSERT INTO audit_event ({_COLUMNS}) VALUES ({', '.join(['%s'] * 10)})".encode()
_BY_KEY = text("SELECT * FROM audit_event WHERE id = :id AND at = :at")


def measure(bench: Bench) -> list[Row]:
    """Entries a second, p50 and p99 of pages, rows sealed a second, and what verifying takes."""
    number = bench.options.entries
    engine = create_engine(bench.database.url(), **engine_options(pool_size=1, statement_timeout=120))
    database = Database(engine, statement_timeout=120)
    try:
        started = time.monotonic()
        some = _fill(bench, database, number)
        made = time.monotonic() - started
        return [
            Row(PART, "time to make the rows", made, "s", note=f"{number:,} entries"),
            *_recording(bench, database),
            *_bare_query(database, some),
            *_pages(bench, number),
            _sealing(bench, database),
            *_verifying(bench),
        ]
    finally:
        engine.dispose()


def _fill(bench: Bench, database: Database, number: int) -> list[tuple[UUID, datetime]]:
    """Store so many entries, some of each transaction, and return the keys of a few."""
    first = clock.now() - timedelta(days=_DAYS)
    for month in months(first, _DAYS // 28 + 1):
        with database.transaction() as connection:
            make_partitions(connection, month)
    chance, some = random.Random(7), []
    apart, every = timedelta(days=_DAYS) / number, max(1, number // 1000)
    with connect(bench.database) as wire, wire.cursor() as cursor:
        for start in range(0, number, _TOGETHER):
            with cursor.copy(f"COPY audit_event ({_COLUMNS}) FROM STDIN".encode()) as copy:
                for each in range(start, min(start + _TOGETHER, number)):
                    row = _row(_entry(chance), first + each * apart)
                    copy.write_row(row)
                    if each % every == 0:
                        some.append((row[0], row[1]))
        cursor.execute(b"VACUUM ANALYZE audit_event")
    return some


def _entry(chance: random.Random) -> Entry:
    action = chance.choices([*_ACTIONS], [*_ACTIONS.values()])[0]
    object_ = UUID(int=chance.randrange(_OBJECTS))
    fields = ("phone", "city") if action == "change" else ()
    request = f"{chance.getrandbits(128):032x}"
    who, where = chance.choice(_USERS), chance.choice(_HOSPITALS)
    return Entry(who, action, _TYPES[object_.int % len(_TYPES)], object_, where, request, fields)


def _row(entry: Entry, at: datetime) -> tuple[Any, ...]:
    """Return what `record` stores of the entry, in the order of `_COLUMNS`."""
    what = (entry.actor_kind, entry.actor_id, entry.action, entry.object_type, entry.object_id)
    return (clock.new_uuid(at), at, *what, entry.hospital_id, entry.request_id, list(entry.fields))


def _recording(bench: Bench, database: Database) -> list[Row]:
    """Entries, each with its transaction, in turns with the same rows by psycopg alone."""
    chance = random.Random(1)
    seconds = min(bench.options.seconds, 5.0) / _ROUNDS

    def entry() -> None:
        with database.transaction() as connection:
            record(connection, _entry(chance))

    def bare(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        connection.execute(_INSERT, _row(_entry(chance), clock.now()), prepare=True)

    entries = rows = 0
    with bench.connect() as connection:
        for _ in range(_ROUNDS):
            rows += _times(lambda: bare(connection), seconds)
            entries += _times(entry, seconds)
    note = "1 connection, into the full trail"
    return [
        Row(PART, "bare INSERT of the same row and commit", rows / seconds / _ROUNDS, "rows/s", note=note),
        Row(PART, "entry recorded and committed", entries / seconds / _ROUNDS, "entries/s", note=note),
    ]


def _times(do: Callable[[], None], seconds: float) -> int:
    """Return how often it is done in that time."""
    done, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        do()
        done += 1
    return done


def _bare_query(database: Database, some: list[tuple[UUID, datetime]]) -> list[Row]:
    with database.statements() as connection:

        def ask(number: int) -> object:
            id_, at = some[number % len(some)]
            return connection.execute(_BY_KEY, {"id": id_, "at": at}).all()

        return people.timed_rows(PART, "SQL, bare query by the key", people.timed(ask), people.MOST)


def _pages(bench: Bench, number: int) -> list[Row]:
    with people.admin(bench) as password, bench.web():
        get, _ = people.signed_in(bench, password)

        def asked(query: Callable[[], dict[str, object]]) -> list[float]:
            return people.timed(lambda _: get(f"/api/audit/?{urlencode(query())}"))

        rows = people.timed_rows(
            PART, "HTTP, me", people.timed(lambda _: get("/api/auth/users/me/")), people.MOST
        )
        for name, query in _kinds(number):
            rows += people.timed_rows(PART, f"HTTP, {name}", asked(query), people.MOST)
        return rows


def _kinds(number: int) -> Iterator[tuple[str, Callable[[], dict[str, object]]]]:
    """Questions of a PX Admin, who sees all: what, and the query."""
    chance = random.Random(2)
    last = max(1, min(number, MOST_COUNTED) // _PAGE)

    def month() -> dict[str, object]:
        since = clock.now() - timedelta(days=chance.randrange(30, _DAYS))
        return {
            "from": f"{since:%Y-%m-%d}T00:00:00Z",
            "to": f"{since + timedelta(days=30):%Y-%m-%d}T00:00:00Z",
        }

    yield "first page", dict
    yield "200 on a page", lambda: {"page_size": 200}
    yield "oldest first", lambda: {"ordering": "at"}
    yield "last page that is counted", lambda: {"page": last}
    yield "of one hospital of twenty", lambda: {"hospital": chance.choice(_HOSPITALS)}
    yield "of one user of 500", lambda: {"actor": chance.choice(_USERS)}
    yield "of one object of 50,000", lambda: {"object_id": UUID(int=chance.randrange(_OBJECTS))}
    yield "of an action that one of a hundred has", lambda: {"action": "assign_role"}
    yield "of 30 days", month
    yield (
        "of a user, an action and 30 days",
        lambda: {"actor": chance.choice(_USERS), "action": "change", **month()},
    )
    yield "of what nobody did", lambda: {"object_id": UUID(int=_OBJECTS + chance.randrange(_OBJECTS))}


def _sealing(bench: Bench, database: Database) -> Row:
    """Rows sealed a second, until all are."""
    started, seals = time.monotonic(), 0
    while _seal(database):
        seals += 1
    took = time.monotonic() - started
    rows = bench.count("SELECT coalesce(sum(rows), 0) FROM audit_seal")
    if rows != bench.count("SELECT count(*) FROM audit_event"):
        raise SystemExit("not every entry was sealed: some transaction of this server has not ended")
    return Row(PART, "rows sealed", rows / took, "rows/s", note=f"{rows:,} rows, {seals} seals")


def _seal(database: Database) -> bool:
    with database.transaction() as connection:
        return seal_next(connection, clock.now())


def _verifying(bench: Bench) -> list[Row]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, idle, most = pool.apply(verified, (bench.database,))
    rows = bench.count("SELECT count(*) FROM audit_event")
    note = f"{idle:.1f} MB before"
    return [
        Row(PART, "verify", seconds, "s", note=f"{rows:,} entries, {rows / seconds:,.0f} a second"),
        Row(PART, "verify, most memory", most, "MB RSS", note=note),
    ]


def verified(address: DatabaseAddress) -> tuple[float, float, float]:
    """Verify every seal. Returns seconds, and the MB before and at most. Runs in a process of its own."""
    engine = create_engine(address.url(), **engine_options(pool_size=1, statement_timeout=600))
    idle, started = machine.resident_megabytes(os.getpid()), time.monotonic()
    with Database(engine, statement_timeout=600).transaction() as connection:
        if wrong := list(verify(connection)):
            raise SystemExit(f"the trail is not what was sealed: {wrong[0]}")
    engine.dispose()
    return time.monotonic() - started, idle, machine.peak_megabytes(os.getpid())
