"""What the same machine does at best: bare inserts, python-hl7 on the message, plain Flask echoing it."""

import multiprocessing
import os
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from uuid import uuid4

import hl7
from psycopg import pq

from benchmarks import echo, load, machine, sample
from benchmarks.database import connect
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from benchmarks.waiting import wait_for
from dhos_connector_api.db.engine import DatabaseAddress

PART = "yardsticks"
_CONNECTIONS = (1, 8)
_PARSES = 300


def measure(bench: Bench) -> list[Row]:
    """Bare inserts a second, milliseconds of CPU a parse, echoes a second."""
    return [*_inserts(bench), *_parses(), *_echo(bench)]


def _inserts(bench: Bench) -> list[Row]:
    return [
        Row(
            PART,
            f"bare insert + commit, {connections} connections",
            bare_rate(bench, insert, connections),
            "rows/s",
        )
        for connections in _CONNECTIONS
    ]


def bare_rate(bench: Bench, insert: Callable[[DatabaseAddress, float], int], processes: int) -> float:
    """Rows a second that so many processes `insert` into a table of their own, `yardstick` (id, body)."""
    with bench.connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS yardstick (id uuid PRIMARY KEY, body bytea NOT NULL)")
    seconds: float = min(bench.options.seconds, 5.0)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        counts = pool.starmap(insert, [(bench.database, seconds)] * processes)
    with bench.connect() as connection:
        connection.execute("DROP TABLE yardstick")
    return sum(counts) / seconds


def insert(address: DatabaseAddress, seconds: float) -> int:
    """Insert single rows, each committed, for that long. Returns how many. Runs in a process of its own."""
    with connect(address) as connection:
        wire = connection.pgconn
        wire.prepare(b"insert", b"INSERT INTO yardstick VALUES ($1::uuid, $2::bytea)")
        body, binary = sample.hl7(0), [pq.Format.BINARY] * 2
        done, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            result = wire.exec_prepared(b"insert", [uuid4().bytes, body], binary)
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise SystemExit("a bare insert failed")
            done += 1
    return done


def _parses() -> list[Row]:
    """Alone, and with every core busy, where one parse costs more: cores share caches and execution units."""
    cores = len(os.sched_getaffinity(0))
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        busy = pool.map(parse_milliseconds, [_PARSES * 5] * cores)
    alone = parse_milliseconds(_PARSES)
    note = f"{len(sample.hl7(0))} bytes"
    return [
        Row(PART, "python-hl7 parses the same message", alone, "ms CPU", note=note),
        Row(PART, "python-hl7 parse, every core busy", median(busy), "ms CPU", note=note),
    ]


def parse_milliseconds(count: int) -> float:
    """The median CPU time of that many parses by python-hl7."""
    text = sample.hl7(0).decode("latin-1")
    times = []
    for _ in range(count):
        before = time.thread_time()
        hl7.parse(text)
        times.append((time.thread_time() - before) * 1000)
    return median(times)


def _echo(bench: Bench) -> list[Row]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    processes = bench.options.web_processes
    with ExitStack() as stack:
        started = [
            stack.enter_context(bench.process("benchmarks.echo", str(port), subprocess.DEVNULL))
            for _ in range(processes)
        ]
        wait_for(port)
        requests = [
            sample.request(number, run="echo", host="echo", token="-" * 300, path=echo.PATH)
            for number in range(20_000)
        ]
        meter = machine.Meter({"echo": lambda: [each.pid for each in started]})
        load.send(port, iter(requests[:2000]), connections=8)
        meter.start()
        answers = load.send(port, iter(requests), connections=8, seconds=min(bench.options.seconds, 5.0))
        spent = meter.stop()
    count = len(answers.times)
    name = f"plain Flask echoes it, 8 connections, {processes} processes"
    return [
        Row(
            PART, name, answers.rate, "requests/s", note=f"p99 {quantile(answers.milliseconds, 0.99):.1f} ms"
        ),
        Row(PART, "plain Flask echo, CPU", spent["echo"] * 1000 / count, "ms/request"),
    ]
