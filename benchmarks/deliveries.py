"""Observation sets to an EPR that answers in 20 ms: accepted and delivered a second, how long each waits."""

import os
import signal
import time

from benchmarks import epr, load, rounds
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from benchmarks.waiting import becomes

PART = "deliveries"
_CONNECTIONS = 8
_WARM_UP = 500
#: More requests than any machine answers in a second.
_MOST_A_SECOND = 2500
#: Deliveries under way at once: the default, and what a site may allow an EPR that takes more.
_AT_ONCE = (4, 32)
#: Observation sets a second for the age: far more than the busiest hospital has.
_PACE = 40.0
#: Deliveries in the backlog, for each second of a measurement.
_BACKLOG_A_SECOND = 100
_WAIT_SECONDS = 180


def measure(bench: Bench) -> list[Row]:
    """Flood it for each number at once, then see how old a message is when it is delivered."""
    rows = []
    with epr.healthy(bench) as (address, _), bench.settings(EPR_SERVICE_ADAPTER_URL_BASE=address):
        for at_once in _AT_ONCE:
            with bench.settings(**rounds.site(bench, at_once=at_once)), bench.web() as web:
                load.send(bench.port, iter(rounds.requests(bench, _WARM_UP)), connections=_CONNECTIONS)
                with bench.deliver() as deliver:
                    wait_until_delivered(bench)
                    rows += _flooded(bench, f"ORU, {at_once} at once", web, deliver)
                    rows += _drained(bench, at_once, deliver)
        with bench.settings(**rounds.site(bench)), bench.web(), bench.deliver():
            rows += _paced(bench)
    return [*rows, _lost(bench)]


def _flooded(bench: Bench, name: str, web: int, deliver: int) -> list[Row]:
    """Requests as fast as they are answered while deliveries go out."""
    pool = rounds.requests(bench, int(bench.options.seconds * _MOST_A_SECOND))
    before = _delivered(bench)
    meter = bench.meter(web=web, deliver=deliver)
    meter.start()
    answers = load.send(bench.port, iter(pool), connections=_CONNECTIONS, seconds=bench.options.seconds)
    spent, meanwhile = meter.stop(), _delivered(bench) - before
    count = len(answers.times)
    rows = [Row(PART, f"{name}: accepted", answers.rate, "requests/s", note=f"{_CONNECTIONS} connections")]
    rows += [
        Row(PART, f"{name}: p{share * 100:.0f}", quantile(answers.milliseconds, share), "ms")
        for share in (0.5, 0.99)
    ]
    rows += [
        Row(PART, f"{name}: CPU {group}", spent[group] * 1000 / count, "ms/request")
        for group in ("web", "PostgreSQL", "deliver", "load", "others")
    ]
    rows.append(Row(PART, f"{name}: delivered meanwhile", meanwhile / answers.seconds, "messages/s"))
    wait_until_delivered(bench)
    return rows


def _drained(bench: Bench, at_once: int, deliver: int) -> list[Row]:
    """What is delivered a second from a backlog, when nothing else happens, and what that costs."""
    name, count = f"from a backlog, {at_once} at once", int(bench.options.seconds * _BACKLOG_A_SECOND)
    os.kill(deliver, signal.SIGSTOP)
    load.send(bench.port, iter(rounds.requests(bench, count)), connections=_CONNECTIONS)
    meter = bench.meter(deliver=deliver)
    meter.start()
    started = time.monotonic()
    os.kill(deliver, signal.SIGCONT)
    wait_until_delivered(bench)
    spent, seconds = meter.stop(), time.monotonic() - started
    most = f"the EPR's own limit: {at_once / epr.ANSWER_SECONDS:,.0f}"
    rows = [Row(PART, f"{name}: delivered", count / seconds, "messages/s", note=most)]
    rows += [
        Row(PART, f"{name}: CPU {group}", spent[group] * 1000 / count, "ms/message")
        for group in ("deliver", "PostgreSQL", "others")
    ]
    return rows


def _paced(bench: Bench) -> list[Row]:
    """The age of messages that come one by one, from being made (just before the commit) to settled."""
    pool = rounds.requests(bench, int(_PACE * bench.options.seconds * 1.2))
    before = bench.count("SELECT coalesce(max(position), 0) FROM delivery")
    answers = load.send(
        bench.port, iter(pool), connections=_CONNECTIONS, seconds=bench.options.seconds, rate=_PACE
    )
    wait_until_delivered(bench)
    with bench.connect() as connection:
        ages = connection.execute(
            "SELECT extract(epoch FROM settled_at - created) * 1000 FROM delivery WHERE position > %s"
            " AND state = 'delivered'",
            (before,),
        ).fetchall()
    waited = [float(str(age)) for (age,) in ages]
    note = f"at {answers.rate:.0f} sets/s; the EPR takes {epr.ANSWER_SECONDS * 1000:.0f} ms of it"
    return [
        Row(PART, "ORU, commit to delivered, p50", quantile(waited, 0.5), "ms", note=note),
        Row(PART, "ORU, commit to delivered, p99", quantile(waited, 0.99), "ms", most=500, note=note),
    ]


def _delivered(bench: Bench) -> int:
    """How many messages have been delivered so far."""
    return _count(bench, "state = 'delivered'")


def wait_until_delivered(bench: Bench) -> None:
    """Return once nothing waits to be delivered any more."""
    if not becomes(lambda: not _count(bench, "state IN ('waiting', 'sending')"), within=_WAIT_SECONDS):
        raise SystemExit("what waits is not delivered")


def _lost(bench: Bench) -> Row:
    """Every request was answered 204; this says that every one was also delivered, at the first attempt."""
    bad = _count(bench, "state <> 'delivered' OR attempts <> 1")
    return Row(PART, "ORU not delivered, or not at once", bad, "messages", most=0)


def _count(bench: Bench, condition: str) -> int:
    return bench.count(f"SELECT count(*) FROM delivery WHERE {condition}")
