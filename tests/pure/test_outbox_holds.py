"""How long routing keys and senders are held back, and when they are tried."""

import sys

from dhos_connector_api.outbox.backoff import Backoff
from dhos_connector_api.outbox.doubts import Doubts

KEY = "dhos.24891000000101"


def _waits(backoff: Backoff, fail: str, count: int) -> list[float]:
    """Seconds until the key is due by its pause, each time it has failed again."""
    now, waits = 0.0, []
    for _ in range(count):
        getattr(backoff, fail)(KEY, now=now)
        before = now
        now += 0.5
        while backoff.due(now) is None or backoff.only_untried(KEY, now=now):
            now += 0.5
        waits.append(now - before)
    return waits


def test_an_unroutable_key_waits_longer_each_time_and_half_a_minute_at_most() -> None:
    assert _waits(Backoff(), "returned", 7) == [1, 2, 4, 8, 16, 30, 30]


def test_a_refused_key_is_tried_again_once_and_then_once_a_minute() -> None:
    assert _waits(Backoff(), "refuse", 7) == [1, 60, 60, 60, 60, 60, 60]


def test_between_them_what_was_never_tried_may_go_once_a_second_and_changes_no_pause() -> None:
    backoff = Backoff()
    backoff.refuse(KEY, now=0)
    backoff.refuse(KEY, now=1)
    assert backoff.due(1.5) is None
    for now in (2.0, 3.0, 4.0):
        assert backoff.due(now) == KEY
        assert backoff.only_untried(KEY, now=now)
        backoff.refuse(KEY, now=now)
        assert backoff.due(now + 0.5) is None
    assert not backoff.only_untried(KEY, now=61)


def test_one_message_that_is_taken_frees_its_key_whoever_sent_it() -> None:
    backoff = Backoff()
    backoff.refuse(KEY, now=0)
    backoff.returned("other", now=0)
    assert (backoff.refused, backoff.unroutable) == ([KEY], ["other"])
    assert backoff.confirmed(KEY)
    assert not backoff.confirmed("other")
    assert (backoff.refused, backoff.unroutable) == ([], [])


def test_what_tells_nothing_is_put_off_for_a_second() -> None:
    backoff = Backoff()
    for key in (KEY, "other"):
        backoff.returned(key, now=0)
    backoff.put_off(KEY, now=1)
    assert backoff.due(1) == "other"
    backoff.keep([KEY])
    assert backoff.due(1) is None
    assert backoff.due(2) == KEY


def test_a_sender_in_doubt_waits_longer_each_time_and_half_a_minute_at_most() -> None:
    doubts, now, waits = Doubts(), 0.0, []
    for _ in range(7):
        doubts.failed("EPR", rows=1, now=now)
        before = now
        while doubts.due(now) is None:
            now += 0.5
        waits.append(now - before)
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_a_sender_goes_on_row_by_row_until_past_what_is_in_doubt() -> None:
    doubts = Doubts()
    doubts.failed("EPR", rows=3, now=0)
    for _ in range(3):
        assert doubts.due(1) == "EPR"
        doubts.answered("EPR")
    assert doubts.due(1) is None
    assert "EPR" not in doubts


def test_after_an_answer_a_failure_waits_a_second_again() -> None:
    doubts = Doubts()
    for now in (0, 10, 20):
        doubts.failed("EPR", rows=5, now=now)
    doubts.answered("EPR")
    doubts.failed("EPR", rows=1, now=100)
    assert doubts.due(100.5) is None
    assert doubts.due(101) == "EPR"


def test_the_sender_that_has_waited_longest_is_tried_first() -> None:
    doubts = Doubts()
    doubts.failed("B", rows=1, now=0)
    doubts.failed("A", rows=1, now=1)
    assert doubts.due(5) == "B"
    doubts.forget("B")
    assert doubts.due(5) == "A"


def test_however_many_senders_are_in_doubt_memory_and_time_are_bounded() -> None:
    doubts = Doubts(most=100)
    looked_at = sys.getsizeof(doubts._queue)
    for number in range(10_000):
        doubts.failed(f"S{number}", rows=1, now=number / 1000)
        doubts.failed(f"S{number}", rows=1, now=number / 1000)
        looked_at = max(looked_at, len(doubts._queue))
    assert len(doubts) == 100
    assert looked_at <= 300
    assert doubts.due(1000) == "S9900", "those that were due first are taken as harmless"
