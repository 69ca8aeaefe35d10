"""Damaged messages through read, rules and acknowledgement; `make fuzz` does a million."""

from collections import Counter

import pytest

from tests.builders.hl7_mutations import SAMPLES, cases, check

SEED = 20240318


@pytest.mark.parametrize("number_of_cases", [5_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_damaged_messages_are_answered_or_refused_and_nothing_else(number_of_cases: int) -> None:
    outcomes: Counter[str] = Counter()
    for number, case in enumerate(cases(SEED, number_of_cases)):
        try:
            outcomes[check(case)] += 1
        except Exception as error:
            raise AssertionError(f"case {number} of seed {SEED}: {case!r}") from error
    assert set(outcomes) == {"AA", "AE", "AR", "unreadable"}
    assert min(outcomes.values()) > number_of_cases / 40, outcomes  # the mutations reach every answer


def test_the_same_seed_gives_the_same_cases() -> None:
    assert list(cases(1, 200)) == list(cases(1, 200))
    assert list(cases(1, 200)) != list(cases(2, 200))


def test_the_samples_themselves_are_accepted() -> None:
    assert [check(sample) for sample in SAMPLES] == ["AA"] * len(SAMPLES)
