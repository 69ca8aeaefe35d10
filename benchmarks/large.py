"""A backlog of large envelopes: the relay's memory, how fast it goes, and how long an admission waits."""

from benchmarks import load, machine
from benchmarks.delay import paced
from benchmarks.harness import Bench
from benchmarks.posting import requests
from benchmarks.table import Row, quantile
from benchmarks.waiting import becomes

PART = "large"
_COUNT, _SIZE = 180, 9_500_000
_RATE = 20.0
_KEY, _QUEUE = "dhos.connector_event", "benchmark-large"
_WAITING = f"SELECT count(*) FROM outbox WHERE routing_key = '{_KEY}' AND published_at IS NULL"
_TOOK = f"""
SELECT (extract(epoch FROM max(published_at) - min(created)) * 1000)::int FROM outbox
WHERE routing_key = '{_KEY}'
"""
_SECONDS = 200

_FILL = """
INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created)
SELECT gen_random_uuid(), gen_random_uuid(), 'LARGE' || number %% 3, %(key)s,
    convert_to(repeat('x', %(size)s), 'UTF8'), 'large', now()
FROM generate_series(1, %(count)s) AS number
"""


def measure(bench: Bench) -> list[Row]:
    """MB a second, peak above idle, and the delay of admissions while the backlog is there."""
    with bench.broker.connect() as connection:
        channel = connection.channel()
        # A queue that is read, as it were: only the newest stays.
        channel.queue_declare(_QUEUE, durable=True, arguments={"x-max-length": 2})
        channel.queue_bind(_QUEUE, "dhos", _KEY)
    with bench.web(), bench.relay() as relay:
        load.send(bench.port, iter(requests(bench, 500)), connections=8)
        bench.wait_until_published()
        bench.broker.purge()
        idle = machine.peak_megabytes(relay)
        with bench.connect() as connection:
            connection.execute(_FILL, {"count": _COUNT, "size": _SIZE, "key": _KEY})
        delays = paced(bench, _RATE)
        left = bench.count(_WAITING)
        if not becomes(lambda: bench.count(_WAITING) == 0, within=_SECONDS):
            raise SystemExit("the relay does not publish large envelopes")
        peak = machine.peak_megabytes(relay)
    milliseconds = bench.count(_TOOK)
    with bench.connect() as connection:
        connection.execute("DELETE FROM outbox WHERE correlation_id = 'large'")
    name = f"{_COUNT} envelopes of {_SIZE / 1e6:.1f} MB"
    note = f"at {delays.rate:.0f} messages/s, {left} large ones left at their end"
    return [
        Row(PART, f"{name}: rate", _COUNT * _SIZE / 1e3 / milliseconds, "MB/s"),
        Row(PART, f"{name}: peak of the relay above idle", peak - idle, "MB", most=150),
        Row(PART, "admissions beside them: answer to consumer, p50", quantile(delays.from_answer, 0.5), "ms"),
        Row(
            PART,
            "admissions beside them: answer to consumer, p99",
            quantile(delays.from_answer, 0.99),
            "ms",
            note=note,
        ),
        Row(PART, "admissions that did not arrive", delays.missing, "messages", most=0),
    ]
