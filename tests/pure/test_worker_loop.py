"""The loop that runs a worker's step."""

import logging
import threading

import pytest

from dhos_connector_api.workers import loop


def test_it_rests_only_after_a_step_without_work_and_ends_when_told() -> None:
    stop, rests = threading.Event(), list[float]()
    answers = iter([True, True, False, True, False])

    def step() -> bool:
        worked = next(answers, None)
        if worked is None:
            stop.set()
        return bool(worked)

    loop.run(step, idle=rests.append, rest=lambda worked: 0.0 if worked else 0.05, stop=stop)
    assert rests == [0.05, 0.05]


def test_a_step_that_raises_is_tried_again_later_each_time_and_its_text_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop, waited, calls = threading.Event(), list[float](), list[float]()

    def step() -> bool:
        calls.append(round(sum(waited), 6))
        if len(calls) == 4:
            stop.set()
            return True
        raise ValueError("SMITH^JOHN")

    with caplog.at_level(logging.DEBUG):
        loop.run(step, idle=waited.append, rest=lambda _: 0, stop=stop)
    assert calls == [0, 0.5, 1.5, 3.5]
    assert "SMITH" not in caplog.text
    assert "ValueError at test_worker_loop.py" in str([vars(record) for record in caplog.records])
