"""Honest messages beside an attacker: how long they take, whether probes are answered, how memory grows.

The pace is one the service takes easily, so that what is measured is not the load itself. Each attack is
measured in turns with quiet: the machine's speed drifts.
"""

import http.client
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import load, machine, posting
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from benchmarks.waiting import becomes

PART = "attacked"
_CONNECTIONS = 8
_PACE = 100.0
_WARM_UP = 500
_TURNS = 2
#: Seconds an attack has to unfold before it is measured beside.
_UNFOLDS = 2.0
_PROBE_PAUSE = 0.05
#: Seconds after which an envelope that is not published counts as it is.
_PUBLISHED_WITHIN = 10.0
#: Beside an attack p99 may be so many times the quiet one, memory so many MB more.
_MOST_TIMES, _MOST_GROWTH = 2, 150
_MOST_PROBE, _MOST_LATE = 50, 200

_ATTACKS = {
    "silent": "1,000 silent sockets",
    "slow": "1,000 slow headers",
    "headers": "20 endless headers",
    "owing": "5,000 refused, that owe their bodies",
    "bodies": "100 unfinished bodies",
    "owned": "100 unfinished bodies with a token",
    "unroutable": "10,000 unroutable senders",
}
#: Envelopes nobody takes, each of a sender of its own.
_UNROUTABLE = """
INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)
SELECT gen_random_uuid(), gen_random_uuid(), 'ATTACKER' || number, 'dhos.nobody', '{}', '-', now()
FROM generate_series(1, 10000) AS number
"""


@dataclass(slots=True)
class _Turns:
    """What was measured with the same thing going on, all turns together."""

    answers: list[float] = field(default_factory=list)  # milliseconds
    probes: list[float] = field(default_factory=list)
    failures: int = 0
    unanswered: int = 0
    late: list[float] = field(default_factory=list)  # milliseconds from commit to published
    most: float = 0.0  # MB
    grown: float = 0.0  # MB, the most of all turns


def measure(bench: Bench) -> list[Row]:
    """p50 and p99 of honest messages and probes, and growth of memory, quiet and beside each attack."""
    rows: list[Row] = []
    with bench.web() as web, bench.relay() as relay:
        load.send(bench.port, iter(posting.requests(bench, _WARM_UP)), connections=_CONNECTIONS)
        for kind, name in _ATTACKS.items():
            quiet, beside = _Turns(), _Turns()
            for _ in range(_TURNS):
                before = _resident({web, relay})
                _turn(bench, quiet, {web, relay})
                with _attack(bench, kind):
                    _turn(bench, beside, {web, relay})
                    beside.late += _late(bench)
                beside.grown = max(beside.grown, beside.most - before)
                _end(bench, kind)
            rows += _rows(name, quiet, beside)
    return rows


@contextmanager
def _attack(bench: Bench, kind: str) -> Iterator[None]:
    if kind == "unroutable":
        with bench.connect() as connection:
            connection.execute(_UNROUTABLE)
        yield
        return
    token = {"TOKEN": bench.token("epr_adapter")} if kind == "owned" else {}
    with (
        bench.settings(**token),
        bench.process("benchmarks.attacker", f"{kind} {bench.port}", sys.stdout.fileno()),
    ):
        time.sleep(_UNFOLDS)
        yield


def _end(bench: Bench, kind: str) -> None:
    """Nothing of an attack is left over."""
    if kind == "unroutable":
        with bench.connect() as connection:
            connection.execute("DELETE FROM outbox WHERE routing_key = 'dhos.nobody'")
            connection.execute("VACUUM outbox")
    bench.wait_until_published()
    bench.broker.purge()


def _turn(bench: Bench, turns: _Turns, pids: set[int]) -> None:
    """Honest messages at their pace, probes meanwhile."""
    over = threading.Event()
    sent = iter(posting.requests(bench, int(_PACE * bench.options.seconds * 1.2)))
    with ThreadPoolExecutor(2) as threads:
        probing = threads.submit(_probe, bench, over, turns)
        watching = threads.submit(_watch, pids, over)
        try:
            answers = load.send(
                bench.port,
                sent,
                connections=_CONNECTIONS,
                seconds=bench.options.seconds,
                rate=_PACE,
                may_fail=True,
            )
        finally:
            over.set()
        probing.result()
        turns.most = watching.result()
    turns.answers += answers.milliseconds
    turns.failures += answers.failures


def _late(bench: Bench) -> list[float]:
    """Milliseconds from commit to published of the honest envelopes of the last turn, once all are."""
    honest = "FROM outbox WHERE routing_key <> 'dhos.nobody'"
    waiting = f"SELECT count(*) {honest} AND published_at IS NULL AND dead_at IS NULL"
    becomes(lambda: not bench.count(waiting), within=_PUBLISHED_WITHIN)
    took = "extract(epoch FROM coalesce(published_at, now()) - created) * 1000"
    with bench.connect() as connection:
        newest = f"SELECT {took} {honest} ORDER BY position DESC LIMIT %s"
        rows = connection.execute(newest.encode(), (int(_PACE * bench.options.seconds),)).fetchall()
    return [float(str(each)) for (each,) in rows]


def _probe(bench: Bench, over: threading.Event, turns: _Turns) -> None:
    """Ask `/running` as Kubernetes does, on a new connection each time."""
    while not over.wait(_PROBE_PAUSE):
        began = time.perf_counter()
        connection = http.client.HTTPConnection(bench.host, timeout=5)
        try:
            connection.request("GET", "/running")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            turns.unanswered += 1
        else:
            turns.probes.append((time.perf_counter() - began) * 1000)
        connection.close()


def _watch(pids: set[int], over: threading.Event) -> float:
    """The most MB all processes together have had."""
    most = _resident(pids)
    while not over.wait(0.1):
        most = max(most, _resident(pids))
    return most


def _resident(pids: set[int]) -> float:
    return sum(machine.resident_megabytes(each) for pid in pids for each in machine.tree(pid))


def _rows(name: str, quiet: _Turns, beside: _Turns) -> list[Row]:
    p99 = quantile(quiet.answers, 0.99)
    return [
        Row(PART, f"quiet: p50, before {name}", quantile(quiet.answers, 0.5), "ms"),
        Row(PART, f"quiet: p99, before {name}", p99, "ms"),
        Row(PART, f"{name}: p50", quantile(beside.answers, 0.5), "ms"),
        Row(PART, f"{name}: p99", quantile(beside.answers, 0.99), "ms", most=_MOST_TIMES * p99),
        Row(PART, f"{name}: messages not taken", beside.failures, "messages", most=0),
        Row(PART, f"{name}: /running p99", quantile(beside.probes, 0.99), "ms", most=_MOST_PROBE),
        Row(PART, f"{name}: probes not answered", beside.unanswered, "probes", most=0),
        Row(PART, f"{name}: commit to published p99", quantile(beside.late, 0.99), "ms", most=_MOST_LATE),
        Row(PART, f"{name}: growth of memory", beside.grown, "MB", most=_MOST_GROWTH),
    ]
