"""POST /dhos/v1/message under load: messages a second, how long each took, and who spent the CPU."""

import secrets

from benchmarks import load, sample
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile

PART = "post"
_WARM_UP = 1500
#: More requests than any machine answers in a second; they are built before the clock starts.
_MOST_A_SECOND = 4000
_LEAST_RATE = {1: 480, 8: 1100, 32: 1400}
#: Milliseconds where many connections wait: p99 of the answers, and CPU of web a message.
_MOST_P99 = {32: 60}
_MOST_WEB_CPU = {32: 0.9}


def requests(bench: Bench, count: int) -> list[bytes]:
    """That many requests, each with a control id that was never sent before and a valid token."""
    token, run = bench.token("epr_adapter"), secrets.token_hex(3)
    return [sample.request(number, run=run, host=bench.host, token=token) for number in range(count)]


def measure(bench: Bench) -> list[Row]:
    """For every number of connections: rate, p50/p95/p99, CPU of each process group a message."""
    rows: list[Row] = []
    with bench.web() as web, bench.relay() as relay:
        meter = bench.meter(web=web, relay=relay)
        for connections in bench.options.connections:
            load.send(bench.port, iter(requests(bench, _WARM_UP)), connections=max(8, connections))
            pool = iter(requests(bench, int(bench.options.seconds * _MOST_A_SECOND)))
            meter.start()
            answers = load.send(bench.port, pool, connections=connections, seconds=bench.options.seconds)
            rows += _rows(connections, answers, meter.stop())
    rows.append(_accepted(bench))
    return rows


def _rows(connections: int, answers: load.Answers, spent: dict[str, float]) -> list[Row]:
    name, count = f"{connections:2d} connections", len(answers.times)
    rows = [Row(PART, f"{name}: rate", answers.rate, "messages/s", least=_LEAST_RATE.get(connections))]
    rows += [
        Row(PART, f"{name}: p{share * 100:.0f}", quantile(answers.milliseconds, share), "ms", most=most)
        for share, most in ((0.5, None), (0.95, None), (0.99, _MOST_P99.get(connections)))
    ]
    targets = {"web": _MOST_WEB_CPU.get(connections, 1.5), "relay": 0.1}
    rows += [
        Row(PART, f"{name}: CPU {group}", seconds * 1000 / count, "ms/message", most=targets.get(group))
        for group, seconds in spent.items()
    ]
    return rows


def _accepted(bench: Bench) -> Row:
    """Every answer was 200; this says that every message was also accepted and queued."""
    missing = bench.count(
        "SELECT (SELECT count(*) FROM message WHERE src_description = 'tie' AND state <> 'accepted')"
        " + (SELECT count(*) FROM message m WHERE src_description = 'tie' AND NOT EXISTS"
        " (SELECT FROM outbox o WHERE o.message_uuid = m.uuid))"
    )
    return Row(PART, "messages not accepted or not queued", missing, "messages", most=0)
