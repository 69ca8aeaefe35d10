"""Integration events: in bulk and one by one, next to bare inserts of as many rows in the same run."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from benchmarks import load, yardsticks
from benchmarks.database import connect
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from dhos_connector_api.db.engine import DatabaseAddress

PART = "events"
_EVENTS = "/api/integrations/events/"
#: Events of one bulk request, rows of one bare statement, and the most single requests a second.
_BULK, _GROUP, _MOST_A_SECOND = 10_000, 500, 4000
_CONNECTIONS = 8
_UNLIMITED = "[his.rate_limits.'*']\nevents_per_hour = 100000000\nrequests_per_minute = 100000000\n"


def measure(bench: Bench) -> list[Row]:
    """Events a second and CPU each: in bulk, by API key, by token; and what bare inserts do."""
    site = str(bench.write("events.toml", _UNLIMITED))
    key = bench.command("keys", "create", "--source", "bench")
    token = bench.command("token", "--scope", "write:his", "--seconds", "86400")
    rows = _bare(bench)
    with bench.settings(SITE_CONFIG=site), bench.web() as web:
        rows += _bulk(bench, web, f"X-API-Key: {key}")
        rows += _single(bench, web, "API key", f"X-API-Key: {key}")
        rows += _single(bench, web, "token", f"Authorization: Bearer {token}")
    rows.append(_queued(bench))
    return rows


def _event(number: int, run: str) -> dict[str, Any]:
    return {
        "source_system": "bench",
        "event_code": "VISIT_STARTED",
        "encounter_id": f"V{number}",
        "patient_identifier": f"{10_000_000 + number % 50_000}",
        "event_id": f"{run}-{number}",
        "payload_json": {
            "physician_license": "L-4711",
            "department_code": "CARDIOLOGY",
            "visit_date": "2025-06-05",
            "visit_time": "11:06",
            "timestamp": "2025-06-05T11:06:00+03:00",
            "doctor_name": "BENCHMARK DOCTOR",
            "visit_reason": "follow-up after hip replacement",
        },
    }


def _requests(bench: Bench, path: str, header: str, bodies: Iterator[Any]) -> Iterator[bytes]:
    for body in bodies:
        yield load.post(bench.host, path, header, json.dumps(body).encode())


def _bulk(bench: Bench, web: int, header: str) -> list[Row]:
    """One request after the other on each of two connections, as two sources would."""
    run, count = secrets.token_hex(3), max(2, int(bench.options.seconds))
    bodies = (
        {"events": [_event(number * _BULK + place, run) for place in range(_BULK)]} for number in range(count)
    )
    made = list(_requests(bench, f"{_EVENTS}bulk_create/", header, bodies))
    meter = bench.meter(web=web)
    meter.start()
    answers = load.send(bench.port, iter(made), connections=2)
    spent = meter.stop()
    events = count * _BULK
    rows = [Row(PART, "bulk, 2 connections: rate", events / answers.seconds, "events/s")]
    return rows + _cpu("bulk", spent, events)


def _single(bench: Bench, web: int, name: str, header: str) -> list[Row]:
    run = secrets.token_hex(3)
    most = int(bench.options.seconds * _MOST_A_SECOND)
    made = list(_requests(bench, _EVENTS, header, (_event(number, run) for number in range(most))))
    meter = bench.meter(web=web)
    load.send(bench.port, iter(made[:500]), connections=_CONNECTIONS)
    meter.start()
    answers = load.send(bench.port, iter(made[500:]), connections=_CONNECTIONS, seconds=bench.options.seconds)
    spent = meter.stop()
    name = f"one by one, {name}"
    return [
        Row(PART, f"{name}, {_CONNECTIONS} connections: rate", answers.rate, "events/s"),
        Row(PART, f"{name}: p99", quantile(answers.milliseconds, 0.99), "ms"),
        *_cpu(name, spent, len(answers.times)),
    ]


def _cpu(name: str, spent: dict[str, float], events: int) -> list[Row]:
    return [
        Row(PART, f"{name}: CPU {group}", spent[group] * 1000 / events, "ms/event")
        for group in ("web", "PostgreSQL")
    ]


def _bare(bench: Bench) -> list[Row]:
    """Rows with a key and the same bytes: single ones, each committed, and as many as a bulk's group."""
    one_by_one = yardsticks.bare_rate(bench, yardsticks.insert, _CONNECTIONS)
    grouped = yardsticks.bare_rate(bench, insert_groups, 2)
    return [
        Row(PART, f"bare inserts, one by one, {_CONNECTIONS} connections", one_by_one, "rows/s"),
        Row(PART, f"bare inserts, {_GROUP} a statement, 2 connections", grouped, "rows/s"),
    ]


def insert_groups(address: DatabaseAddress, seconds: float) -> int:
    """Insert rows a group at a time, each group committed, for that long. Returns how many rows."""
    body = json.dumps(_event(0, "bare")).encode()
    with connect(address) as connection:
        done, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            connection.execute(
                "INSERT INTO yardstick SELECT * FROM unnest(%s::uuid[], %s::bytea[])",
                ([uuid4() for _ in range(_GROUP)], [body] * _GROUP),
            )
            done += _GROUP
    return done


def _queued(bench: Bench) -> Row:
    """Every answer was good; this says that every event is also queued, once."""
    missing = bench.count(
        "SELECT count(*) FROM integration_event e WHERE NOT EXISTS"
        " (SELECT FROM outbox o WHERE o.id = e.envelope_id)"
    )
    return Row(PART, "events not queued", missing, "events", most=0)
