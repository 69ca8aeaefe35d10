"""Ten thousand senders whose messages no queue takes: what the others notice, and what idling costs."""

import time

from benchmarks import load
from benchmarks.delay import Delays, paced
from benchmarks.harness import Bench
from benchmarks.posting import requests
from benchmarks.table import Row, quantile
from benchmarks.waiting import becomes

PART = "held"
_SENDERS = 10_000
_RATE = 50.0
_IDLE_SECONDS = 10.0

#: A message of each of so many senders, with a routing key that nobody has bound.
_CROWD = """
INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)
SELECT gen_random_uuid(), gen_random_uuid(), 'CROWD' || number, 'dhos.connector_event', '{}', 'crowd', now()
FROM generate_series(1, %(senders)s) AS number
"""


def measure(bench: Bench) -> list[Row]:
    """From the answer to the consumer, without them and beside them; CPU while nothing is due."""
    with bench.web(), bench.relay() as relay:
        load.send(bench.port, iter(requests(bench, 500)), connections=8)
        bench.wait_until_published()
        bench.broker.purge()
        quiet = paced(bench, _RATE)
        with bench.connect() as connection:
            connection.execute(_CROWD, {"senders": _SENDERS})
        if not becomes(lambda: bench.count("SELECT coalesce(max(attempts), 0) FROM outbox") > 0, within=20):
            raise SystemExit("the relay has not tried what nobody takes")
        meter = bench.meter(relay=relay)
        meter.start()
        time.sleep(_IDLE_SECONDS)
        idle = meter.stop()
        beside = paced(bench, _RATE)
    with bench.connect() as connection:
        connection.execute("DELETE FROM outbox WHERE correlation_id = 'crowd'")
    name = f"{_SENDERS:,} held senders"
    return [
        *_rows("nothing held", quiet),
        *_rows(name, beside),
        *(
            Row(PART, f"{name}, idle: CPU {group}", idle[group] * 1000 / _IDLE_SECONDS, "ms/s")
            for group in ("relay", "PostgreSQL")
        ),
    ]


def _rows(name: str, delays: Delays) -> list[Row]:
    note = f"at {delays.rate:.0f} messages/s"
    return [
        Row(PART, f"{name}: answer to consumer, p50", quantile(delays.from_answer, 0.5), "ms", note=note),
        Row(PART, f"{name}: answer to consumer, p99", quantile(delays.from_answer, 0.99), "ms", most=200),
        Row(PART, f"{name}: messages that did not arrive", delays.missing, "messages", most=0),
    ]
