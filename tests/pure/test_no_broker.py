"""What stands in for RabbitMQ where there is none."""

from dhos_connector_api.actions.envelope import Outcome
from dhos_connector_api.broker.no_broker import NoBroker
from tests.builders.outbox import an_envelope


def test_without_a_broker_no_envelope_counts_as_published() -> None:
    batch = [an_envelope(), an_envelope()]
    assert NoBroker().publish(batch) == [Outcome.RETURNED] * 2
