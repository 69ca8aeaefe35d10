"""What a batch's outcomes mean for its rows, and how long a stream is held back."""

from dhos_connector_api.actions.envelope import Outcome
from dhos_connector_api.outbox.backoff import Backoff
from dhos_connector_api.outbox.relay import settlement
from tests.builders.outbox import a_row

C, RETURNED, REFUSED, UNKNOWN, IMPOSSIBLE = (
    Outcome.CONFIRMED,
    Outcome.RETURNED,
    Outcome.REFUSED,
    Outcome.UNKNOWN,
    Outcome.IMPOSSIBLE,
)
STREAM = ("EPR", "key")


def test_a_sender_is_settled_up_to_its_first_gap() -> None:
    rows = [a_row() for _ in range(4)]
    result = settlement(rows, [C, REFUSED, C, C])
    assert result.confirmed == rows[:1]
    assert result.failed == {REFUSED: [rows[1]]}
    assert result.stopped == {("EPR", ""): 1}


def test_a_refusal_stops_the_whole_sender_and_no_other() -> None:
    mine, event, other = a_row("EPR"), a_row("EPR", "dhos.connector_event"), a_row("LAB")
    result = settlement([mine, event, other], [REFUSED, C, C])
    assert result.confirmed == [other]


def test_an_unroutable_row_stops_its_own_stream_only() -> None:
    mine, other, same_sender = a_row("EPR"), a_row("LAB"), a_row("EPR", "dhos.connector_event")
    after = a_row("EPR")
    result = settlement([mine, other, same_sender, after], [RETURNED, C, C, C])
    assert result.confirmed == [other, same_sender]
    assert set(result.stopped) == {mine.stream}


def test_what_can_never_be_published_stops_nothing() -> None:
    rows = [a_row() for _ in range(3)]
    result = settlement(rows, [C, IMPOSSIBLE, C])
    assert result.confirmed == [rows[0], rows[2]]
    assert result.impossible == [rows[1]]
    assert result.stopped == {}


def test_every_row_without_an_answer_is_in_doubt() -> None:
    rows = [a_row() for _ in range(4)]
    assert settlement(rows, [C, UNKNOWN, UNKNOWN, UNKNOWN]).stopped == {("EPR", ""): 3}


def test_a_held_stream_waits_longer_each_time_and_half_a_minute_at_most() -> None:
    backoff, now, waits = Backoff(), 0.0, []
    for _ in range(7):
        backoff.failed(STREAM, now=now, doubtful=1)
        assert backoff.due(now) is None
        before = now
        while backoff.due(now) is None:
            now += 0.5
        waits.append(now - before)
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_a_stream_goes_on_one_by_one_until_past_the_rows_in_doubt() -> None:
    backoff = Backoff()
    backoff.failed(STREAM, now=0, doubtful=3)
    for _ in range(3):
        assert backoff.due(1) == STREAM
        backoff.advanced(STREAM)
    assert backoff.due(1) is None
    assert not backoff.streams()


def test_after_a_success_a_failure_waits_a_second_again() -> None:
    backoff = Backoff()
    for now in (0, 10, 20):
        backoff.failed(STREAM, now=now, doubtful=5)
    backoff.advanced(STREAM)
    backoff.failed(STREAM, now=100, doubtful=1)
    assert backoff.due(101) == STREAM


def test_the_stream_that_has_waited_longest_is_tried_first() -> None:
    backoff = Backoff()
    backoff.failed(("B", "key"), now=0, doubtful=1)
    backoff.failed(("A", "key"), now=1, doubtful=1)
    assert backoff.due(5) == ("B", "key")
    backoff.forget(("B", "key"))
    assert backoff.due(5) == ("A", "key")


def test_a_stream_is_not_tried_while_its_whole_sender_is_held() -> None:
    backoff = Backoff()
    backoff.failed(STREAM, now=0, doubtful=1)
    backoff.failed(("EPR", ""), now=1, doubtful=1)
    assert backoff.due(1.5) is None
    assert backoff.due(2) == ("EPR", "")
    backoff.advanced(("EPR", ""))
    assert backoff.due(2) == STREAM
