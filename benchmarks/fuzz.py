"""Damaged HL7 messages by the million: `python -m benchmarks.fuzz --cases 1000000 --seed 7`.

Stops at the first broken promise and prints how to see that case again.
"""

import argparse
import sys
from collections import Counter
from time import perf_counter

from tests.hl7_mutations import cases, check

_STEP = 20_000


def main() -> int:
    """Run the cases with progress on stderr; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="how many (default: a million)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    arguments = parser.parse_args()
    outcomes: Counter[str] = Counter()
    begun = perf_counter()
    for number, case in enumerate(cases(arguments.seed, arguments.cases), 1):
        try:
            outcomes[check(case)] += 1
        except Exception as error:  # noqa: BLE001  any failure is a finding
            print(f"\nseed {arguments.seed}, case {number}: {error!r}\n{case!r}")
            return 1
        if number % _STEP == 0:
            rate = number / (perf_counter() - begun)
            print(f"\r{number:,} of {arguments.cases:,} ({rate:,.0f}/s)", end="", file=sys.stderr, flush=True)
    print(
        f"\n{sum(outcomes.values()):,} cases: " + ", ".join(f"{k} {v:,}" for k, v in sorted(outcomes.items()))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
