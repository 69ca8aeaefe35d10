"""How fast envelopes become patients, and how long after the commit of their message each has.

What piled up in the queue is applied by one consuming process. Then messages come at a pace, and a look every
few milliseconds sees when each is applied: an upper bound, from the time that its row of the outbox was made.
"""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection

from benchmarks import load, yardsticks
from benchmarks.database import connect
from benchmarks.harness import Bench
from benchmarks.posting import requests
from benchmarks.table import Row, quantile
from benchmarks.waiting import becomes
from dhos_connector_api.db.engine import DatabaseAddress

PART = "consume"
#: Envelopes that pile up, and messages a second afterwards; so many connections post them.
_ENVELOPES, _PACE, _CONNECTIONS = 10_000, 100, 8
_QUEUE = "dhos-connector-px"
#: Two consumers record each envelope, one after the other; patients are first.
_APPLIED = "SELECT count(*) FROM inbox WHERE consumer = 'journeys'"
_UNAPPLIED = (
    "SELECT count(*) FROM outbox WHERE published_at IS NULL OR routing_key <> 'dhos.px_event'"
    " AND id NOT IN (SELECT message_id FROM inbox WHERE consumer = 'journeys')"
)
_LOOK, _WITHIN = 0.005, 120
#: Nothing is committed so long after the time that its row of the inbox has.
_LONGEST_BATCH = timedelta(seconds=2)


def measure(bench: Bench) -> list[Row]:
    """Envelopes a second, beside what a bare insert takes, and the time from the commit to the patient."""
    bare = yardsticks.bare_rate(bench, yardsticks.insert, 1)
    with bench.consume():  # makes the queue
        bench.broker.wait_for_queue(_QUEUE, seconds=_WITHIN)
    with bench.web(), bench.relay():
        load.send(bench.port, iter(requests(bench, _ENVELOPES)), connections=_CONNECTIONS)
        bench.wait_until_published()
    bench.broker.purge()
    rate = _rate(bench)
    delays = _delays(bench)
    note = f"{_PACE} messages/s, one consuming process"
    return [
        Row(PART, "bare insert + commit, 1 connection", bare, "rows/s"),
        Row(PART, "envelopes applied, 1 process", rate, "envelopes/s", least=800),
        Row(PART, "commit to patient, p50", quantile(delays, 0.5), "ms", note=note),
        Row(PART, "commit to patient, p99", quantile(delays, 0.99), "ms", most=500, note=note),
    ]


def _rate(bench: Bench) -> float:
    with bench.consume():
        if not becomes(lambda: bench.count(_APPLIED) >= _ENVELOPES, within=_WITHIN):
            raise SystemExit("the consuming process does not apply what is in the queue")
    seconds = "SELECT extract(epoch FROM max(received_at) - min(received_at)) * 1000 FROM inbox"
    return _ENVELOPES * 1000 / bench.count(f"SELECT ({seconds})::int")


def _delays(bench: Bench) -> list[float]:
    """Milliseconds of each message, at a pace."""
    with bench.web(), bench.relay(), bench.consume(), watched(bench.database, "organizations") as seen:
        if not becomes(lambda: bench.count(_UNAPPLIED) == 0, within=_WITHIN):
            raise SystemExit("what was announced before is not published")
        began = time.time()
        sent = requests(bench, int(_PACE * bench.options.seconds))
        load.send(bench.port, iter(sent), connections=_CONNECTIONS, seconds=bench.options.seconds, rate=_PACE)
        bench.wait_until_published()
        becomes(lambda: bench.count(_UNAPPLIED) == 0, within=_WITHIN)
        time.sleep(_LOOK * 20)  # the watcher looks once more
        seen.send("stop")
        found: dict[str, float] = seen.recv()
    with bench.connect() as connection:
        rows = connection.execute(
            "SELECT id::text, extract(epoch FROM created)::float8 FROM outbox"
            " WHERE extract(epoch FROM created) > %s",
            (began,),
        ).fetchall()
    made = {str(id_): float(str(at)) for id_, at in rows}
    return [(at - made[id_]) * 1000 for id_, at in found.items() if id_ in made]


@contextmanager
def watched(address: DatabaseAddress, consumer: str) -> Iterator[Connection]:
    """A process that runs `watch` meanwhile, and the pipe to it."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=watch, args=(address, consumer, theirs))
    process.start()
    ours.recv()
    yield ours
    process.join()


def watch(address: DatabaseAddress, consumer: str, pipe: Connection) -> None:
    """Note when each envelope is seen to be applied, until the pipe says stop; send {id: POSIX seconds}."""
    query = "SELECT message_id::text FROM inbox WHERE received_at > %s AND consumer = %s"
    found: dict[str, float] = {}
    with connect(address) as connection:
        began = datetime.now(UTC)
        pipe.send("ready")
        while not pipe.poll():
            since = max(began, datetime.now(UTC) - _LONGEST_BATCH)
            ids = [str(each) for (each,) in connection.execute(query, (since, consumer)).fetchall()]
            at = time.time()
            for each in ids:
                found.setdefault(each, at)
            time.sleep(_LOOK)
    pipe.send(found)
