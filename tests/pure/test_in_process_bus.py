"""The bus that stands in for RabbitMQ."""

from uuid import UUID

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY, Envelope, Outcome
from dhos_connector_api.broker.in_process import InProcessBus
from dhos_connector_api.workers.loop import guarded
from tests.builders.outbox import an_envelope


def test_every_consumer_of_the_key_gets_the_envelope_and_no_other_does() -> None:
    bus, first, second, other = InProcessBus(), list[UUID](), list[UUID](), list[UUID]()
    for key, seen in ((LEGACY_ROUTING_KEY, first), (LEGACY_ROUTING_KEY, second), (EVENT_ROUTING_KEY, other)):
        bus.register(key, guarded(lambda envelope, seen=seen: seen.append(envelope.id)))  # type: ignore[misc]
    batch = [an_envelope(), an_envelope()]
    assert bus.publish(batch) == [Outcome.CONFIRMED] * 2
    assert first == second == [each.id for each in batch]
    assert other == []


def test_an_envelope_nobody_consumes_is_not_published() -> None:
    assert InProcessBus().publish([an_envelope()]) == [Outcome.RETURNED]


def test_after_a_consumer_failed_it_gets_nothing_out_of_order() -> None:
    bus, seen = InProcessBus(), list[UUID]()
    batch = [an_envelope() for _ in range(3)]

    def consume(envelope: Envelope) -> None:
        if envelope is batch[1]:
            raise KeyError("a name that must not be logged")
        seen.append(envelope.id)

    bus.register(LEGACY_ROUTING_KEY, guarded(consume))
    assert bus.publish(batch) == [Outcome.CONFIRMED, Outcome.REFUSED, Outcome.REFUSED]
    assert seen == [batch[0].id]
