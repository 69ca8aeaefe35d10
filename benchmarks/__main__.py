"""`python -m benchmarks [PART...]`: start the Connector, measure it, print one table. See --help."""

import argparse
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    attacked,
    audit,
    backlog,
    beside,
    consume,
    delay,
    deliveries,
    drain,
    events,
    growth,
    held,
    his,
    journeys,
    large,
    machine,
    memory,
    mllp,
    organizations,
    patients,
    people,
    posting,
    search,
    xml,
    yardsticks,
)
from benchmarks.harness import Bench
from benchmarks.ratios import ratios
from benchmarks.table import Row, as_json, lines

_PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    each.PART: each.measure
    for each in (
        *(yardsticks, posting, mllp, events, his, delay, drain, held, large),
        *(deliveries, consume, beside, attacked, backlog, xml, memory, search),
        *(organizations, patients, people, audit, journeys, growth),
    )
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Starts web processes and relay on a database and a RabbitMQ virtual host of their own, "
        "measures them, and prints one table.",
        epilog="PostgreSQL: DATABASE_HOST (with DATABASE_PORT, DATABASE_USER, DATABASE_PASSWORD), or an "
        "embedded server. RabbitMQ: RABBITMQ_HOST, or 127.0.0.1; rabbitmqctl makes the virtual host.",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of {', '.join(_PARTS)} (all)")
    parser.add_argument("--seconds", type=float, default=10, help="length of each measurement (10)")
    parser.add_argument(
        "--connections",
        type=_numbers,
        default=[1, 8, 32],
        help="keep-alive connections to post with (1,8,32)",
    )
    parser.add_argument("--web-processes", type=int, default=2, help="WEB_PROCESSES (2)")
    parser.add_argument("--waiting", type=int, default=100_000, help="rows of a backlog (100000)")
    parser.add_argument("--senders", type=int, default=400_000, help="senders with a row each (400000)")
    parser.add_argument("--messages", type=int, default=100_000, help="messages of the memory part (100000)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="messages to search in (1000000)")
    parser.add_argument("--patients", type=int, default=1_000_000, help="patients to search in (1000000)")
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries of the audit trail (1000000)")
    parser.add_argument("--refolded", type=int, default=100_000, help="journeys to fold anew (100000)")
    parser.add_argument("--journeys", type=int, default=1_000_000, help="journeys to search in (1000000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--keep", action="store_true", help="keep the database")
    options = parser.parse_args()
    unknown = set(options.parts) - set(_PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def main() -> None:
    """Run the parts asked for; the exit status says whether every target was met."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that everything started is ended
    facts = machine.facts()
    rows: list[Row] = []
    try:
        with Bench(options) as bench:
            facts |= bench.versions()
            facts["web processes"] = str(options.web_processes)
            for part in options.parts or _PARTS:
                print(f"{time.strftime('%H:%M:%S')} {part} ...", flush=True)
                rows += _PARTS[part](bench)
    finally:  # also what was measured before a part failed
        rows += ratios(rows)
        _report(facts, rows, options.json)
    sys.exit(any(row.verdict == "MISSED" for row in rows))


def _report(facts: dict[str, str], rows: list[Row], file: Path | None) -> None:
    """Print the table, and write the figures into that file as well."""
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    print(f"\n$ {command}")
    print("\n".join(f"{name}: {value}" for name, value in facts.items()), end="\n\n")
    print("\n".join(lines(rows)))
    if file:
        figures = {"command": command, "machine": facts, "figures": as_json(rows)}
        file.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
