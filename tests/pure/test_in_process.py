"""What stands in for RabbitMQ where there is none."""

from collections.abc import Sequence

import pytest

from dhos_connector_api.actions.envelope import Envelope, Outcome
from dhos_connector_api.broker.in_process import AT_ONCE, InProcess
from dhos_connector_api.errors import StorageUnavailable
from tests.builders.outbox import an_envelope


def test_without_a_consumer_no_envelope_counts_as_published() -> None:
    batch = [an_envelope(), an_envelope()]
    assert InProcess().publish(batch) == [Outcome.RETURNED] * 2


def test_what_consumers_have_taken_is_confirmed_in_pieces_and_in_order() -> None:
    taken: list[Sequence[Envelope]] = []
    batch = [an_envelope() for _ in range(AT_ONCE + 1)]
    assert InProcess(taken.append).publish(batch) == [Outcome.CONFIRMED] * len(batch)
    assert [len(each) for each in taken] == [AT_ONCE, 1]
    assert [each for piece in taken for each in piece] == batch


def test_what_there_is_no_time_for_is_given_again() -> None:
    batch = [an_envelope() for _ in range(AT_ONCE + 2)]
    outcomes = InProcess(lambda _: None, keep_waiting=lambda: False).publish(batch)
    assert outcomes == [Outcome.CONFIRMED] * AT_ONCE + [Outcome.UNKNOWN] * 2


def test_nothing_is_confirmed_while_the_consumers_have_no_database() -> None:
    def away(_: Sequence[Envelope]) -> None:
        raise StorageUnavailable("the database did not answer")

    with pytest.raises(StorageUnavailable):
        InProcess(away).publish([an_envelope()])
