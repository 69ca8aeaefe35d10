"""A hundred thousand deliveries that wait for an EPR: what queueing, claiming and looking cost then.

They pile up as in an outage: with statistics from before it, when nothing waited. The best plan for
that is to walk whatever waits, and it is the worst one now.
"""

import http.client
import logging
import time
from collections.abc import Callable

from sqlalchemy import create_engine

from benchmarks import epr, load, rounds
from benchmarks.deliveries import wait_until_delivered
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.deliveries.deliver import Deliverer, Destination, Transport
from dhos_connector_api.deliveries.rules.outcome import Accepted, DeliveryFailed, Kind, Outgoing
from dhos_connector_api.site.model import DeliveryPolicy

PART = "backlog"
_HISTORY = 500
_CLAIMS = 300
_LOOKS = 30
_OK = 200

#: Messages and deliveries made like the newest one, each of a series of its own.
_FILL = """
WITH model AS (SELECT * FROM message WHERE src_description = 'dhos' ORDER BY uuid DESC LIMIT 1),
made AS (
    SELECT gen_random_uuid() AS uuid, number, now() - make_interval(secs => (%(count)s - number) * 0.01) AS at
    FROM generate_series(1, %(count)s) AS number
), kept AS (
    INSERT INTO message (uuid, created, modified, src_description, dst_description, state, message_type,
        event_code, message_control_id, sent_at, correlation_id)
    SELECT made.uuid, at, at, src_description, dst_description, 'queued', message_type, event_code,
        'PILED' || number, at, 'piled-' || number
    FROM made, model
), bodies AS (
    INSERT INTO message_body (message_uuid, created, received, content, charset)
    SELECT made.uuid, at, received, content, charset
    FROM made, model JOIN message_body ON message_uuid = model.uuid AND message_body.created = model.created
)
INSERT INTO delivery (uuid, message_uuid, destination, series, created, due_at, correlation_id)
SELECT gen_random_uuid(), uuid, 'epr', 'piled ' || number, at, at, 'piled-' || number FROM made
"""
#: The destination may be tried now, after so many failures: it counts as failing, or as well again.
_TRIED = """
INSERT INTO delivery_destination (name, failures) VALUES ('epr', %(failures)s)
ON CONFLICT (name) DO UPDATE SET failures = %(failures)s, held_until = NULL
"""


def measure(bench: Bench) -> list[Row]:
    """What requests cost before and after the pile; claims and settlements; pages of the list."""
    count = bench.options.waiting
    with (
        epr.healthy(bench) as (address, _),
        bench.settings(EPR_SERVICE_ADAPTER_URL_BASE=address, **rounds.site(bench)),
        bench.web(),
    ):
        with bench.deliver():
            load.send(bench.port, iter(rounds.requests(bench, _HISTORY)), connections=8)
            wait_until_delivered(bench)
        before = _posted(bench)
        _pile_up(bench, count)
        rows = [
            Row(PART, "ORU request, 1 connection, nothing waits, p50", quantile(before, 0.5), "ms"),
            Row(PART, f"ORU request, {count:,} wait, p50", quantile(_posted(bench), 0.5), "ms"),
            *_claimed(bench, count),
            *_looked_at(bench),
        ]
    with bench.connect() as connection:
        connection.execute("TRUNCATE delivery, delivery_attempt, delivery_destination")
    return rows


def _pile_up(bench: Bench, count: int) -> None:
    """Gather statistics while nothing waits; then add rows without telling it."""
    with bench.connect() as connection:
        connection.execute("ALTER TABLE delivery SET (autovacuum_enabled = false)")
        connection.execute("UPDATE delivery SET state = 'cancelled' WHERE state = 'waiting'")
        connection.execute("VACUUM ANALYZE delivery")
        connection.execute(_FILL, {"count": count})


def _posted(bench: Bench) -> list[float]:
    """Milliseconds of each request, one after the other."""
    pool = iter(rounds.requests(bench, _CLAIMS))
    return load.send(bench.port, pool, connections=1).milliseconds


def _refuse(_: Outgoing) -> Accepted:
    raise DeliveryFailed(Kind.TRANSIENT, "no connection")


def _accept(_: Outgoing) -> Accepted:
    return Accepted()


def _claimed(bench: Bench, count: int) -> list[Row]:
    """Claims by the delivery's own code: probes while the EPR fails, all it may have once it is well."""
    logging.getLogger("dhos_connector_api.deliveries").setLevel(logging.ERROR)
    engine = create_engine(bench.database.url(), **engine_options(pool_size=1))
    policy = DeliveryPolicy()

    def deliverer(send: Transport) -> Deliverer:
        return Deliverer(Database(engine), Destination("epr", send, lambda: policy), time.sleep)

    probes, failed = _timed_claims(bench, deliverer(_refuse), failures=10)
    in_turn, settled = _timed_claims(bench, deliverer(_accept), failures=0)
    engine.dispose()
    name, note = f"{count:,} wait", "statistics from before"
    return [
        Row(PART, f"{name}: a probe claimed, p50", quantile(probes, 0.5), "ms", most=150, note=note),
        Row(PART, f"{name}: a failure settled, p50", quantile(failed, 0.5), "ms"),
        Row(
            PART,
            f"{name}: {policy.at_once} claimed in turn, p50",
            quantile(in_turn, 0.5),
            "ms",
            most=25,
            note=note,
        ),
        Row(PART, f"{name}: {policy.at_once} claimed in turn, p99", quantile(in_turn, 0.99), "ms", note=note),
        Row(PART, f"{name}: a delivery settled, p50", quantile(settled, 0.5), "ms"),
    ]


def _timed_claims(bench: Bench, one: Deliverer, *, failures: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each claim, and of each attempt's end, at a destination that has failed so often."""
    claims, ends = [], []
    with bench.connect() as connection:
        for _ in range(_CLAIMS):
            connection.execute(_TRIED, {"failures": failures})
            began = time.perf_counter()
            claimed = one.claim(DeliveryPolicy().at_once)
            claims.append(_since(began))
            for each in claimed:
                began = time.perf_counter()
                one.attempt(each)
                ends.append(_since(began))
    return claims, ends


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _looked_at(bench: Bench) -> list[Row]:
    """A page of the list by each filter, and `/metrics`."""
    headers = {"Authorization": f"Bearer {bench.token('internal')}"}
    connection = http.client.HTTPConnection(bench.host)

    def ask(path: str) -> Callable[[], None]:
        def asked() -> None:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != _OK:
                raise SystemExit(f"{path} answered {answer.status}")

        return asked

    paths = {
        "page of all": "/dhos/v1/delivery",
        "page of the waiting": "/dhos/v1/delivery?state=waiting",
        "page of the dead": "/dhos/v1/delivery?state=dead&destination=epr",
        "metrics": "/metrics",
    }
    rows = []
    for name, path in paths.items():
        took = [_timed(ask(path)) for _ in range(_LOOKS)]
        rows.append(Row(PART, f"HTTP {name}, p50", quantile(took, 0.5), "ms"))
    connection.close()
    return rows


def _timed(ask: Callable[[], None]) -> float:
    began = time.perf_counter()
    ask()
    return _since(began)
