"""Counting requests in windows of time."""

import threading
from concurrent.futures import ThreadPoolExecutor

from dhos_connector_api.http.window_counts import TIDY_EVERY, WindowCounts


class Clock:
    """Seconds that are set by hand."""

    time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_a_window_begins_with_its_first_request_and_ends() -> None:
    now = Clock()
    counts = WindowCounts(now=now)
    assert [counts.incr("a", 10), counts.incr("a", 10), counts.incr("b", 10, 5)] == [1, 2, 5]
    assert (counts.get("a"), counts.get_expiry("a")) == (2, 1010)
    now.time += 9.9
    assert counts.incr("a", 10) == 3
    now.time += 0.1
    assert (counts.get("a"), counts.get_expiry("a")) == (0, 1010)
    assert counts.incr("a", 10) == 1
    assert counts.get_expiry("a") == 1020


def test_what_has_ended_takes_no_memory_for_long() -> None:
    now = Clock()
    counts = WindowCounts(now=now)
    for number in range(1000):
        counts.incr(str(number), 10)
    now.time += TIDY_EVERY
    counts.incr("last", 10)
    assert counts.reset() == 1


def test_one_can_be_forgotten() -> None:
    counts = WindowCounts(now=Clock())
    counts.incr("a", 10)
    counts.clear("a")
    counts.clear("b")
    assert counts.get("a") == 0
    assert counts.check()


def test_threads_count_together_and_none_is_started() -> None:
    counts, before = WindowCounts(), threading.active_count()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: counts.incr("a", 60), range(2000)))
    assert counts.get("a") == 2000
    assert threading.active_count() == before
