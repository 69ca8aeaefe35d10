"""HL7 that comes in while observation sets go out: beside a healthy EPR, and beside one that hangs."""

from concurrent.futures import ThreadPoolExecutor

from benchmarks import epr, load, posting, rounds
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile

PART = "beside"
_CONNECTIONS = 8
_WARM_UP = 1500
_MOST_A_SECOND = 2000
#: Observation sets a second that keep coming.
_PACE = 20.0
#: Seconds an attempt may take here, so that attempts at the dead EPR end within the measurement.
_TIMEOUT = 2
#: Each is measured so often, in turns: the machine's speed drifts.
_TURNS = 3


def measure(bench: Bench) -> list[Row]:
    """Rate, p50 and p99 of inbound messages without deliveries, beside a healthy and beside a dead EPR."""
    with epr.healthy(bench) as (well, _), epr.hanging() as dead:
        site = rounds.site(bench, timeout=_TIMEOUT)
        with bench.settings(EPR_SERVICE_ADAPTER_URL_BASE=well, **site), bench.web(), bench.relay():
            load.send(bench.port, iter(posting.requests(bench, _WARM_UP)), connections=_CONNECTIONS)
            load.send(bench.port, iter(rounds.requests(bench, _WARM_UP // 10)), connections=_CONNECTIONS)
            names = {"alone": None, "beside a healthy EPR": well, "beside a dead EPR": dead}
            inbound: dict[str, list[load.Answers]] = {name: [] for name in names}
            outbound: dict[str, list[load.Answers]] = {name: [] for name in names}
            for _ in range(_TURNS):
                for name, address in names.items():
                    coming, going = _measured(bench, address)
                    inbound[name].append(coming)
                    outbound[name] += [going] if going else []
            _forget(bench)
    rows = [row for name, answers in inbound.items() for row in _rows(f"HL7 in, {name}", answers)]
    return rows + [
        row for name, answers in outbound.items() for row in _rows(f"ORU requests {name}", answers)
    ]


def _measured(bench: Bench, address: str | None) -> tuple[load.Answers, load.Answers | None]:
    """Inbound messages as fast as they are answered, and with an address observation sets to there."""
    _forget(bench)
    if address is None:
        return _inbound(bench), None
    sets = iter(rounds.requests(bench, int(bench.options.seconds * _PACE * 1.2)))
    with (
        bench.settings(EPR_SERVICE_ADAPTER_URL_BASE=address),
        bench.deliver(),
        ThreadPoolExecutor(1) as thread,
    ):
        going = thread.submit(
            load.send, bench.port, sets, connections=2, seconds=bench.options.seconds, rate=_PACE
        )
        return _inbound(bench), going.result()


def _inbound(bench: Bench) -> load.Answers:
    pool = posting.requests(bench, int(bench.options.seconds * _MOST_A_SECOND))
    return load.send(bench.port, iter(pool), connections=_CONNECTIONS, seconds=bench.options.seconds)


def _rows(name: str, answers: list[load.Answers]) -> list[Row]:
    """The rate of all turns together, and the p50 and p99 of all their answers."""
    if not answers:
        return []
    took = [each for turn in answers for each in turn.milliseconds]
    rate = len(took) / sum(turn.seconds for turn in answers)
    return [
        Row(PART, f"{name}: rate", rate, "messages/s"),
        Row(PART, f"{name}: p50", quantile(took, 0.5), "ms"),
        Row(PART, f"{name}: p99", quantile(took, 0.99), "ms"),
    ]


def _forget(bench: Bench) -> None:
    """Nothing waits, and nobody knows how the EPR is doing."""
    with bench.connect() as connection:
        connection.execute("UPDATE delivery SET state = 'cancelled' WHERE state IN ('waiting', 'sending')")
        connection.execute("DELETE FROM delivery_destination")
