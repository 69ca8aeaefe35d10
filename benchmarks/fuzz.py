"""Hostile input by the million: `python -m benchmarks.fuzz hl7 --cases 1000000 --seed 7`, or `oru`.

`hl7`: damaged messages that come in. `oru`: observation sets with hostile texts that go out. Stops at the
first broken promise and prints how to see that case again.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from tests.builders import hl7_mutations, oru_hostile


@dataclass(frozen=True, slots=True)
class _Kind:
    """`cases` of a seed and a number; `check` says what one came to; every `step` shows how far it is."""

    cases: Callable[[int, int], Iterator[Any]]
    check: Callable[[Any], str]
    number: int
    step: int


def _checked_set(texts: dict[str, str]) -> str:
    oru_hostile.check(texts)
    return "read back as it was"


_KINDS = {
    "hl7": _Kind(hl7_mutations.cases, hl7_mutations.check, number=1_000_000, step=20_000),
    "oru": _Kind(oru_hostile.cases, _checked_set, number=100_000, step=2_000),
}


def main() -> int:
    """Run the cases with progress on stderr; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("kind", choices=_KINDS, help="what comes in, or what goes out")
    parser.add_argument("--cases", type=int, help="how many (default: a million, or 100,000 sets)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    arguments = parser.parse_args()
    kind = _KINDS[arguments.kind]
    count = kind.number if arguments.cases is None else arguments.cases
    outcomes: Counter[str] = Counter()
    begun = perf_counter()
    for number, case in enumerate(kind.cases(arguments.seed, count), 1):
        try:
            outcomes[kind.check(case)] += 1
        except Exception as error:  # noqa: BLE001  any failure is a finding
            print(f"\nseed {arguments.seed}, case {number}: {error!r}\n{case!r}")
            return 1
        if number % kind.step == 0:
            rate = number / (perf_counter() - begun)
            print(f"\r{number:,} of {count:,} ({rate:,.0f}/s)", end="", file=sys.stderr, flush=True)
    print(
        f"\n{sum(outcomes.values()):,} cases: " + ", ".join(f"{k} {v:,}" for k, v in sorted(outcomes.items()))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
