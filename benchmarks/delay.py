"""From the sender's AA to the consumer, at half of the load the service can take.

A consumer in a process of its own notes when a message arrives; the AMQP correlation_id is the
X-Request-ID of the request, and both processes read the same monotonic clock. Measured from the
answer received (the commit lies just before it) and, as an upper bound, from the request sent.
"""

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks import load
from benchmarks.broker import QUEUE, Broker
from benchmarks.harness import Bench
from benchmarks.posting import requests
from benchmarks.table import Row, quantile

PART = "delay"
_CONNECTIONS = 8
_QUIET_SECONDS = 3.0


def consume(broker: Broker, pipe: Connection) -> None:
    """Take messages until the pipe says stop and the queue is quiet; send back {correlation id: time}."""
    arrived: dict[str, float] = {}
    with broker.connect() as connection:
        channel = connection.channel()
        pipe.send("ready")
        last = time.monotonic()
        for _, properties, _ in channel.consume(QUEUE, auto_ack=True, inactivity_timeout=0.2):
            now = time.monotonic()
            if properties is not None:
                arrived[properties.correlation_id] = last = now
            elif pipe.poll() and now - last > _QUIET_SECONDS:
                break
    pipe.send(arrived)


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds of each message until the consumer had it, how many had none, and how many a second."""

    from_answer: list[float]
    from_request: list[float]
    missing: int
    rate: float


def measure(bench: Bench) -> list[Row]:
    """p50 and p99 of the delay, and how many messages did not arrive."""
    with bench.web(), bench.relay():
        load.send(bench.port, iter(requests(bench, 1500)), connections=_CONNECTIONS)
        full = load.send(bench.port, iter(requests(bench, 12_000)), connections=_CONNECTIONS, seconds=4)
        bench.wait_until_published()
        bench.broker.purge()
        delays = paced(bench, full.rate / 2)
    note = f"at {delays.rate:.0f} messages/s"
    return [
        Row(PART, "answer to consumer, p50", quantile(delays.from_answer, 0.5), "ms", most=15, note=note),
        Row(PART, "answer to consumer, p99", quantile(delays.from_answer, 0.99), "ms", most=250, note=note),
        Row(PART, "request to consumer, p99", quantile(delays.from_request, 0.99), "ms", note=note),
        Row(PART, "messages that did not arrive", delays.missing, "messages", most=0),
    ]


def paced(bench: Bench, rate: float) -> Delays:
    """Post so many messages a second for the length of a measurement, and see when each arrives."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=consume, args=(bench.broker, theirs))
    process.start()
    ours.recv()
    sent = requests(bench, int(rate * bench.options.seconds * 1.2))
    answers = load.send(
        bench.port, iter(sent), connections=_CONNECTIONS, seconds=bench.options.seconds, rate=rate
    )
    ours.send("stop")
    arrived: dict[str, float] = ours.recv()
    process.join()
    by_number = {int(each.rpartition("-")[2]): at for each, at in arrived.items()}
    known = [each for each in answers.times if each[0] in by_number]
    return Delays(
        from_answer=[max(0.0, by_number[number] - answered) * 1000 for number, _, answered in known],
        from_request=[(by_number[number] - before) * 1000 for number, before, _ in known],
        missing=len(answers.times) - len(known),
        rate=answers.rate,
    )
