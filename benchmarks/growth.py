"""A store that has grown for most of a year: its disk by table, intake, search, and pruning beside intake."""

import time
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import create_engine

from benchmarks import load
from benchmarks.fill import fill
from benchmarks.harness import Bench
from benchmarks.posting import requests
from benchmarks.search import searches
from benchmarks.table import Row, quantile
from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.db.months import months
from dhos_connector_api.messages.periodic import create_partition

PART = "growth"
_DAYS = 300
_CONNECTIONS = 8
_MOST_A_SECOND = 2000
_LONGEST = 900
_TABLES = ("message", "message_body", "message_key", "message_identifier")
_RETENTION = {
    "MESSAGE_BODY_RETENTION": "100d",
    "MESSAGE_RETENTION": "150d",
    "DELIVERY_RETENTION": "100d",
    "EVENT_RETENTION": "100d",
}
_MILLION = 1_000_000


def measure(bench: Bench) -> list[Row]:
    """Disk, intake and search with `--rows` messages of 300 days; then half of them go under load."""
    rows = bench.options.rows
    _make_months(bench)
    started = time.monotonic()
    fill(bench, rows, apart=_DAYS * 86400 / rows, processed=True)
    made = Row(PART, "time to make the rows", time.monotonic() - started, "s", note=f"{rows:,} messages")
    disk = _disk(bench, rows)
    found = [replace(each, part=PART, most=None) for each in searches(bench, rows)]
    intake = _intake(bench, "full store")
    return [made, *disk, *found, *intake, _envelopes(bench), *_pruning(bench, rows)]


def _envelopes(bench: Bench) -> Row:
    """What published envelopes need until OUTBOX_RETENTION, one for each message that was posted."""
    size, rows = (
        bench.count("SELECT pg_total_relation_size('outbox')"),
        bench.count("SELECT count(*) FROM outbox"),
    )
    return Row(PART, "disk of a million envelopes: outbox", size / rows * _MILLION / 1e6, "MB")


def _make_months(bench: Bench) -> None:
    """The partitions that housekeeping would have made in their time."""
    engine = create_engine(bench.database.url(), **engine_options(pool_size=1))
    database, first = Database(engine), clock.now() - timedelta(days=_DAYS)
    for month in months(first, _DAYS // 28 + 1):
        with database.transaction() as connection:
            create_partition(connection, month)
    engine.dispose()


def _disk(bench: Bench, rows: int) -> list[Row]:
    """Megabytes for each million messages: a table with its long values, and its indexes."""
    found = []
    for table in _TABLES:
        parts = f"SELECT '{table}'::regclass AS relid UNION SELECT relid FROM pg_partition_tree('{table}')"
        data, indexes = (
            bench.count(f"SELECT sum({name}(relid)) FROM ({parts}) AS part")
            for name in ("pg_table_size", "pg_indexes_size")
        )
        each = (data + indexes) / rows * _MILLION / 1e6
        note = f"indexes {indexes / rows * _MILLION / 1e6:.0f} MB"
        found.append(Row(PART, f"disk of a million messages: {table}", each, "MB", note=note))
    total = sum(each.value for each in found)
    return [*found, Row(PART, "disk of a million messages: all", total, "MB")]


def _intake(bench: Bench, name: str) -> list[Row]:
    with bench.web(), bench.relay():
        load.send(bench.port, iter(requests(bench, _MOST_A_SECOND)), connections=_CONNECTIONS)
        return _rows(name, _answers(bench))


def _answers(bench: Bench) -> load.Answers:
    pool = iter(requests(bench, int(bench.options.seconds * _MOST_A_SECOND)))
    return load.send(bench.port, pool, connections=_CONNECTIONS, seconds=bench.options.seconds)


def _rows(name: str, answers: load.Answers) -> list[Row]:
    return [
        Row(PART, f"{name}: intake", answers.rate, "messages/s", note=f"{_CONNECTIONS} connections"),
        Row(PART, f"{name}: intake p99", quantile(answers.milliseconds, 0.99), "ms"),
        Row(PART, f"{name}: intake, longest", max(answers.milliseconds), "ms"),
    ]


def _pruning(bench: Bench, rows: int) -> list[Row]:
    """Post for as long as a first pass of retention takes."""
    together = load.Answers()
    with bench.settings(**_RETENTION), bench.web():
        load.send(bench.port, iter(requests(bench, _MOST_A_SECOND)), connections=_CONNECTIONS)
        with bench.relay():
            started = time.monotonic()
            while not _is_done(bench) and time.monotonic() - started < _LONGEST:
                answers = _answers(bench)
                together.seconds += answers.seconds
                together.times += answers.times
            took = time.monotonic() - started
    left = bench.count("SELECT count(*) FROM message WHERE created_by = 'benchmark'")
    gone = bench.count("SELECT coalesce(sum(removed), 0) FROM retention_record WHERE name = 'message_body'")
    return [
        *_rows("pruning", together),
        Row(PART, "pruning: time of a pass", took, "s", note="to the end of a round of posting"),
        Row(PART, "pruning: messages removed", rows - left, "messages"),
        Row(PART, "pruning: bodies removed", gone, "messages"),
    ]


def _is_done(bench: Bench) -> bool:
    done = "SELECT count(*) FROM retention_record WHERE name = 'message' AND finished_at IS NOT NULL"
    return bool(bench.count(done))
