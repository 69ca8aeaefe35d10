"""Hostile observation sets by the hundred thousand: `python -m benchmarks.fuzz_oru --cases 100000 --seed 7`.

Stops at the first set that adds or loses a segment or a field, or is not read back as it was, and prints it.
"""

import argparse
import sys
from time import perf_counter

from tests.oru_hostile import cases, check

_STEP = 2_000


def main() -> int:
    """Run the cases with progress on stderr; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_oru", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="how many (default: 100,000)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: 1)")
    arguments = parser.parse_args()
    characters = 0
    begun = perf_counter()
    for number, texts in enumerate(cases(arguments.seed, arguments.cases), 1):
        try:
            characters += len(check(texts).text)
        except Exception as error:  # noqa: BLE001  any failure is a finding
            print(f"\nseed {arguments.seed}, case {number}: {error!r}\n{texts!r}")
            return 1
        if number % _STEP == 0:
            rate = number / (perf_counter() - begun)
            print(f"\r{number:,} of {arguments.cases:,} ({rate:,.0f}/s)", end="", file=sys.stderr, flush=True)
    seconds = perf_counter() - begun
    print(f"\n{arguments.cases:,} hostile sets, {characters:,} characters, {seconds:.0f} s: nothing broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
