"""How fast events become stages of journeys, how fast journeys are folded anew, and lists of many of them.

What piled up in the queue is applied by one consuming process, for patients and for journeys. Then events are
committed at half the rate that is wanted, and what is announced of journeys is consumed as well.
"""

import os
import time

from sqlalchemy import create_engine

from benchmarks import journey_feed, journey_lists, machine, yardsticks
from benchmarks.consume import watched
from benchmarks.harness import Bench
from benchmarks.journey_rows import (
    CODES,
    make_evidence,
    make_hospitals,
    make_journeys,
    make_patients,
    make_stages,
)
from benchmarks.table import Row, quantile
from benchmarks.waiting import becomes
from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.px.journeys import refold

PART = "journeys"
_VISITS, _WANTED, _QUEUE = 2_000, 800, "dhos-connector-px"
_EVENTS = _VISITS * len(CODES)
_FOLDED = "SELECT count(*) FROM inbox WHERE consumer = 'journeys'"
_OPEN = "SELECT count(*) FROM evidence WHERE state <> 'applied'"
_UNAPPLIED = (
    "SELECT count(*) FROM outbox WHERE published_at IS NULL OR routing_key <> 'dhos.px_event'"
    " AND id NOT IN (SELECT message_id FROM inbox WHERE consumer = 'journeys')"
)
_LOOK, _WITHIN = 0.1, 300
#: Megabytes that the process may grow while it folds.
_GROWTH = 10.0
#: Patients for so many journeys, one; but so many at least.
_VISITS_EACH, _FEWEST = 5, 1_000


def measure(bench: Bench) -> list[Row]:
    """Events a second beside bare inserts, commit to stage, journeys folded anew a second, and lists."""
    make_hospitals(bench)
    rows = [*_rate(bench), *_delays(bench)]
    engine = create_engine(bench.database.url(), **engine_options(pool_size=1, statement_timeout=120))
    database = Database(engine, statement_timeout=120)
    journeys = bench.options.journeys
    try:
        make_patients(bench, max(_FEWEST, journeys // _VISITS_EACH))
        make_journeys(bench, "R", bench.options.refolded)
        make_evidence(bench, "R")
        for name in ("all change", "none changes"):
            rows += _refolded(database, name, bench.options.refolded)
        make_journeys(bench, "L", max(0, journeys - bench.options.refolded))
        make_stages(bench)
        return [*rows, *journey_lists.measure(bench, database)]
    finally:
        engine.dispose()


def _rate(bench: Bench) -> list[Row]:
    bare = yardsticks.bare_rate(bench, yardsticks.insert, 1)
    with bench.consume():  # makes the queue
        bench.broker.wait_for_queue(_QUEUE, seconds=_WITHIN)
    journey_feed.pile_up(bench, journey_feed.events("P", _VISITS))
    with bench.relay():
        bench.wait_until_published()
    with bench.consume() as consume:
        meter = machine.Meter({"consume": lambda: machine.tree(consume), "PostgreSQL": bench.postgres_pids})
        meter.start()
        if not becomes(lambda: bench.count(_FOLDED) >= _EVENTS, within=_WITHIN):
            raise SystemExit("the consuming process does not apply what is in the queue")
        spent = meter.stop()
    if waiting := bench.count(_OPEN):
        raise SystemExit(f"{waiting} events were not folded into a journey")
    seconds = "SELECT extract(epoch FROM max(received_at) - min(received_at)) * 1000 FROM inbox"
    rate = _EVENTS * 1000 / bench.count(f"SELECT ({seconds})::int")
    note = f"{_VISITS:,} visits of {len(CODES)} events, 1 process"
    return [
        Row(PART, "bare insert + commit, 1 connection", bare, "rows/s"),
        Row(PART, "events consumed and folded", rate, "events/s", least=_WANTED, note=note),
        *(Row(PART, f"CPU {name}", seconds * 1000 / _EVENTS, "ms/event") for name, seconds in spent.items()),
    ]


def _delays(bench: Bench) -> list[Row]:
    """From the commit of an event to its stage, an upper bound, as a look every few milliseconds tells."""
    pace = _WANTED / 2
    visits = int(pace * bench.options.seconds / len(CODES))
    told = list(journey_feed.events("D", visits))
    bench.broker.purge()
    with bench.relay(), bench.consume(), watched(bench.database, "journeys") as seen:
        _wait_until_applied(bench)  # what was announced of the journeys before
        journey_feed.pace(bench, iter(told), pace)
        _wait_until_applied(bench)
        time.sleep(_LOOK)  # the watcher looks once more
        seen.send("stop")
        found: dict[str, float] = seen.recv()
    with bench.connect() as connection:
        query = "SELECT id::text, extract(epoch FROM created)::float8 FROM outbox WHERE id = ANY(%s)"
        rows = connection.execute(query, ([each[0] for each in told],)).fetchall()
    delays = [(found[str(id_)] - float(str(at))) * 1000 for id_, at in rows if str(id_) in found]
    note = f"{pace:g} events/s, {len(delays):,} of {len(told):,} seen"
    return [
        Row(PART, "commit to stage, p50", quantile(delays, 0.5), "ms", note=note),
        Row(PART, "commit to stage, p99", quantile(delays, 0.99), "ms", most=500, note=note),
    ]


def _wait_until_applied(bench: Bench) -> None:
    """Return once nothing waits, neither to be published nor to be applied; announcements are passed over."""
    if not becomes(lambda: bench.count(_UNAPPLIED) == 0, within=_WITHIN):
        raise SystemExit("the consuming process does not apply what is in the outbox")


def _refolded(database: Database, name: str, count: int) -> list[Row]:
    """Fold all journeys anew; memory is compared with that after a tenth of them."""
    after: refold.Place = refold.FIRST
    looked_at, early = 0, 0.0
    began = time.monotonic()
    while True:
        with database.transaction() as connection:
            piece = refold.refold(connection, refold.Wanted(), after, clock.now())
        if piece.last is None:
            break
        after, looked_at = piece.last, looked_at + piece.looked_at
        if not early and looked_at >= count / 10:
            early = machine.resident_megabytes(os.getpid())
    seconds, late = time.monotonic() - began, machine.resident_megabytes(os.getpid())
    note = f"{looked_at:,} journeys"
    return [
        Row(PART, f"refold, {name}: rate", looked_at / seconds, "journeys/s", note=note),
        Row(PART, f"refold, {name}: growth", late - early, "MB", most=_GROWTH, note=f"{early:.0f} MB before"),
    ]
