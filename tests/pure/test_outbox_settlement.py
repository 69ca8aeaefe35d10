"""What a batch's outcomes mean for its rows, their senders and routing keys."""

import pytest

from dhos_connector_api.actions.envelope import Outcome
from dhos_connector_api.outbox.settlement import settlement
from tests.builders.outbox import a_row

C, RETURNED, REFUSED, UNANSWERED, UNKNOWN, IMPOSSIBLE = (
    Outcome.CONFIRMED,
    Outcome.RETURNED,
    Outcome.REFUSED,
    Outcome.UNANSWERED,
    Outcome.UNKNOWN,
    Outcome.IMPOSSIBLE,
)
ADT, EVENT = "dhos.24891000000101", "dhos.connector_event"


@pytest.mark.parametrize("refusal", [REFUSED, UNANSWERED])
def test_a_sender_is_settled_up_to_its_first_gap(refusal: Outcome) -> None:
    rows = [a_row() for _ in range(4)]
    result = settlement(rows, [C, refusal, C, C])
    assert result.confirmed == rows[:1]
    assert result.failed == {refusal: [rows[1]]}
    assert result.keys == {ADT: refusal}, "what a queue refused counts, though a later one had room"


def test_a_refusal_stops_the_rest_of_its_sender_and_no_other() -> None:
    mine, event, other = a_row("EPR"), a_row("EPR", EVENT), a_row("LAB")
    result = settlement([mine, event, other], [REFUSED, C, C])
    assert result.confirmed == [other]
    assert result.keys == {ADT: REFUSED, EVENT: C}


def test_an_unroutable_row_stops_its_own_stream_only() -> None:
    mine, other, same_sender, after = a_row("EPR"), a_row("LAB"), a_row("EPR", EVENT), a_row("EPR")
    result = settlement([mine, other, same_sender, after], [RETURNED, C, C, C])
    assert result.confirmed == [other, same_sender]
    assert result.keys[ADT] is C, "a queue was bound meanwhile"


def test_the_last_answer_tells_whether_a_key_is_unroutable() -> None:
    assert settlement([a_row("EPR"), a_row("LAB")], [C, RETURNED]).keys == {ADT: RETURNED}


def test_what_can_never_be_published_stops_nothing_and_says_nothing_of_its_key() -> None:
    rows = [a_row() for _ in range(3)]
    result = settlement(rows, [C, IMPOSSIBLE, C])
    assert result.confirmed == [rows[0], rows[2]]
    assert result.impossible == [rows[1]]
    assert settlement(rows[:1], [IMPOSSIBLE]).keys == {}


def test_every_row_without_an_answer_puts_its_sender_in_doubt_and_not_its_key() -> None:
    rows = [*(a_row() for _ in range(4)), a_row("LAB")]
    result = settlement(rows, [C, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN])
    assert result.doubtful == {"EPR": 3, "LAB": 1}
    assert result.keys == {ADT: C}
