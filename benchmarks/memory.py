"""Memory of web processes and relay before and after many messages."""

import secrets
from collections.abc import Iterator

from benchmarks import load, machine, sample
from benchmarks.harness import Bench
from benchmarks.table import Row

PART = "memory"
_CONNECTIONS = 8
_WARM_UP_SHARE = 0.1
_MOST_GROWTH = 5.0


def _requests(bench: Bench, count: int) -> Iterator[bytes]:
    token, run = bench.token("epr_adapter"), secrets.token_hex(3)
    return (sample.request(number, run=run, host=bench.host, token=token) for number in range(count))


def measure(bench: Bench) -> list[Row]:
    """RSS after a tenth of the messages (every cache is full by then) and after all of them."""
    count = bench.options.messages
    with bench.web() as web, bench.relay() as relay:
        pids = {"relay": relay}
        children = sorted(machine.tree(web) - {web})
        pids |= {"supervisor": web} | {f"web process {number}": pid for number, pid in enumerate(children, 1)}
        load.send(bench.port, _requests(bench, int(count * _WARM_UP_SHARE)), connections=_CONNECTIONS)
        before = {name: machine.resident_megabytes(pid) for name, pid in pids.items()}
        answers = load.send(bench.port, _requests(bench, count), connections=_CONNECTIONS)
        bench.wait_until_published()
        after = {name: machine.resident_megabytes(pid) for name, pid in pids.items()}
    bench.broker.purge()
    rows = [Row(PART, f"{count:,} messages: rate", answers.rate, "messages/s")]
    for name in pids:
        note = f"{before[name]:.1f} -> {after[name]:.1f} MB RSS"
        rows.append(
            Row(PART, f"{name}: growth", after[name] - before[name], "MB", most=_MOST_GROWTH, note=note)
        )
    return rows
