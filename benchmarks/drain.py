"""How fast the relay publishes what has piled up, of few senders and of very many, and whether it grows."""

import time

from benchmarks import load, machine
from benchmarks.harness import Bench
from benchmarks.posting import requests
from benchmarks.table import Row

PART = "drain"
_SENDERS = (1, 16)
_SAMPLE_SECONDS = 0.2

#: Copies of one envelope that a message made just now, as if they had piled up.
_FILL = """
INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)
SELECT gen_random_uuid(), model.message_uuid, 'SENDER' || number %% %(senders)s, model.routing_key,
    model.body, model.correlation_id, now()
FROM generate_series(1, %(count)s) AS number,
    (SELECT * FROM outbox ORDER BY position DESC LIMIT 1) AS model
"""


def measure(bench: Bench) -> list[Row]:
    """Messages a second, CPU a message and memory, for waiting rows of one sender and of several."""
    with bench.web():
        load.send(bench.port, iter(requests(bench, 1)), connections=1)
    with bench.relay():
        bench.wait_until_published()
    rows = []
    for senders in _SENDERS:
        rows += _drained(bench, senders, bench.options.waiting)
    return rows + _drained(bench, bench.options.senders, bench.options.senders)


def _drained(bench: Bench, senders: int, count: int) -> list[Row]:
    with bench.connect() as connection:
        connection.execute(_FILL, {"senders": senders, "count": count})
        connection.execute("VACUUM ANALYZE outbox")
    with bench.relay() as relay:
        meter = bench.meter(relay=relay)
        meter.start()
        resident = _watch(bench, relay)
        spent = meter.stop()
    with bench.connect() as connection:
        row = connection.execute(
            "SELECT count(*), extract(epoch FROM max(published_at) - min(published_at)) FROM"
            " (SELECT published_at FROM outbox ORDER BY position DESC LIMIT %s) AS drained",
            (count,),
        ).fetchone()
    bench.broker.purge()
    published, seconds = (float(str(each)) for each in row or (0, 1))
    name = f"{count:,} rows, {senders} senders"
    early = resident[len(resident) // 10]
    return [
        Row(PART, f"{name}: rate", published / max(seconds, 0.001), "messages/s", least=5000),
        Row(PART, f"{name}: CPU relay", spent["relay"] * 1000 / count, "ms/message", most=0.1),
        Row(PART, f"{name}: CPU PostgreSQL", spent["PostgreSQL"] * 1000 / count, "ms/message"),
        Row(PART, f"{name}: CPU RabbitMQ", spent["RabbitMQ"] * 1000 / count, "ms/message"),
        Row(PART, f"{name}: memory after a tenth", early, "MB RSS"),
        Row(
            PART,
            f"{name}: growth until the end",
            resident[-1] - early,
            "MB",
            most=5,
            note=f"peak {max(resident):.0f} MB",
        ),
    ]


def _watch(bench: Bench, relay: int) -> list[float]:
    """The relay's memory in MB, sampled until nothing waits any more."""
    resident = []
    while bench.is_waiting():
        resident.append(machine.resident_megabytes(relay))
        time.sleep(_SAMPLE_SECONDS)
    return [*resident, machine.resident_megabytes(relay)]
