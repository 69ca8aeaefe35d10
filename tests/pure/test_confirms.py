"""RabbitMQ's answers to a batch, put together."""

from dhos_connector_api.actions.envelope import Outcome
from dhos_connector_api.broker.confirms import Confirms


def _batch(size: int, first_tag: int = 1) -> Confirms:
    confirms = Confirms(size, first_tag)
    for place in range(size):
        confirms.note_sent(place, f"id-{place}")
    return confirms


def test_each_answer_belongs_to_its_tag() -> None:
    confirms = _batch(3, first_tag=7)
    confirms.note_answer(8, multiple=False, confirmed=False)
    confirms.note_answer(7, multiple=False, confirmed=True)
    assert not confirms.complete
    assert confirms.outcomes() == [Outcome.CONFIRMED, Outcome.REFUSED, Outcome.UNKNOWN]
    confirms.note_answer(9, multiple=False, confirmed=True)
    assert confirms.complete


def test_one_answer_for_all_up_to_a_tag_leaves_earlier_answers_alone() -> None:
    confirms = _batch(4)
    confirms.note_answer(2, multiple=False, confirmed=False)
    confirms.note_answer(3, multiple=True, confirmed=True)
    assert confirms.outcomes() == [Outcome.CONFIRMED, Outcome.REFUSED, Outcome.CONFIRMED, Outcome.UNKNOWN]
    confirms.note_answer(4, multiple=True, confirmed=False)
    assert confirms.outcomes()[3] is Outcome.REFUSED
    assert confirms.complete


def test_a_returned_message_is_confirmed_and_yet_not_published() -> None:
    confirms = _batch(2)
    confirms.note_returned("id-0")
    confirms.note_answer(2, multiple=True, confirmed=True)
    assert confirms.outcomes() == [Outcome.RETURNED, Outcome.CONFIRMED]


def test_what_was_never_sent_takes_no_tag() -> None:
    confirms = Confirms(3, 5)
    confirms.note_sent(0, "id-0")
    confirms.note_impossible(1)
    confirms.note_sent(2, "id-2")
    assert confirms.next_tag == 7
    confirms.note_answer(6, multiple=True, confirmed=True)
    assert confirms.outcomes() == [Outcome.CONFIRMED, Outcome.IMPOSSIBLE, Outcome.CONFIRMED]


def test_answers_to_an_earlier_batch_or_to_nothing_are_ignored() -> None:
    confirms = _batch(2, first_tag=10)
    confirms.note_answer(9, multiple=True, confirmed=True)
    confirms.note_answer(4, multiple=False, confirmed=True)
    confirms.note_answer(99, multiple=False, confirmed=True)
    assert confirms.outcomes(Outcome.IMPOSSIBLE) == [Outcome.IMPOSSIBLE] * 2
    assert not confirms.complete


def test_an_answer_given_twice_counts_once() -> None:
    confirms = _batch(2)
    confirms.note_answer(1, multiple=False, confirmed=True)
    confirms.note_answer(1, multiple=False, confirmed=True)
    assert not confirms.complete
