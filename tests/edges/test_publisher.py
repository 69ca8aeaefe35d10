"""The publisher against a real RabbitMQ: what it sends, and what it makes of each answer."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from time import monotonic
from uuid import UUID

import pika
import pytest

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY, Envelope, Outcome
from dhos_connector_api.broker import topology
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.consumer import Consumer
from dhos_connector_api.broker.metrics import BROKER_CONNECTED
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.clock import now
from dhos_connector_api.errors import BrokerUnavailable
from dhos_connector_api.outages import Outage
from tests.builders.outbox import an_envelope
from tests.rigs.mute_line import MuteLine
from tests.rigs.rabbitmq import OwnRabbitMQ
from tests.rigs.waiting import eventually, throughout

pytest_plugins = ["tests.rigs.broker_fixtures"]


@pytest.fixture
def publisher(shared_rabbitmq: BrokerAddress) -> Iterator[Publisher]:
    made = Publisher(shared_rabbitmq)
    yield made
    made.close()


def _served(publisher: Publisher, seconds: float) -> Publisher:
    """The publisher after it was idle for that long."""
    publisher.idle(seconds)
    return publisher


def _ids(consumer: Consumer, count: int) -> list[UUID]:
    """The message_ids of the next messages, acknowledged."""
    ids: list[UUID] = []
    while len(ids) < count:
        delivery = consumer.receive(5)
        if delivery is None:
            break
        consumer.acknowledge(delivery)
        ids.append(UUID(delivery.message_id))
    return ids


def test_a_message_arrives_as_the_contract_says(shared_rabbitmq: BrokerAddress, publisher: Publisher) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    body = json.dumps({"actions": [], "name": "Zoë"}, ensure_ascii=False).encode()
    envelope = an_envelope(body, correlation_id="request-1")
    before = int(now().timestamp())
    assert publisher.publish([envelope]) == [Outcome.CONFIRMED]
    delivery = consumer.receive(5)
    assert delivery is not None
    assert delivery.body == body
    assert delivery.routing_key == LEGACY_ROUTING_KEY
    assert (delivery.message_id, delivery.correlation_id) == (str(envelope.id), "request-1")
    assert delivery.content_type == "application/text"
    assert delivery.persistent
    assert delivery.timestamp is not None
    assert before <= delivery.timestamp <= now().timestamp()
    assert delivery.headers == {}
    consumer.close()


def test_a_batch_that_is_taken_ends_after_some_bytes(
    shared_rabbitmq: BrokerAddress, publisher: Publisher
) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    large = [an_envelope(b"x" * 1_500_000) for _ in range(4)]
    assert set(publisher.publish(large)) == {Outcome.CONFIRMED}
    taken = eventually(lambda: consumer.receive_many(100, 5))
    assert len(taken) == 3  # two are short of 4 MB, and the third reaches it
    consumer.acknowledge_through(taken[-1])
    assert _ids(consumer, 1) == [large[-1].id]
    consumer.close()


def test_batches_arrive_whole_and_in_order(shared_rabbitmq: BrokerAddress, publisher: Publisher) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY], prefetch=1000)
    batches = [[an_envelope() for _ in range(size)] for size in (1, 500, 3, 250)]
    for batch in batches:
        assert publisher.publish(batch) == [Outcome.CONFIRMED] * len(batch)
    sent = [envelope.id for batch in batches for envelope in batch]
    assert _ids(consumer, len(sent)) == sent
    consumer.close()


def test_unroutable_messages_are_told_from_published_ones_in_the_same_batch(
    shared_rabbitmq: BrokerAddress, publisher: Publisher
) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    batch = [an_envelope(routing_key=key) for key in (EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY) * 50]
    assert publisher.publish(batch) == [Outcome.RETURNED, Outcome.CONFIRMED] * 50
    assert _ids(consumer, 50) == [envelope.id for envelope in batch[1::2]]
    assert consumer.receive(0.2) is None
    consumer.close()


def test_what_the_queue_refuses_is_refused(shared_rabbitmq: BrokerAddress, publisher: Publisher) -> None:
    full = {"x-max-length": 2, "x-overflow": "reject-publish"}
    consumer = Consumer(shared_rabbitmq, "small", [LEGACY_ROUTING_KEY], arguments=full)
    batch = [an_envelope() for _ in range(4)]
    outcomes = publisher.publish(batch)
    assert outcomes == [Outcome.CONFIRMED] * 2 + [Outcome.REFUSED] * 2
    assert _ids(consumer, 2) == [envelope.id for envelope in batch[:2]]
    consumer.close()


@pytest.mark.parametrize(
    "impossible",
    [
        an_envelope(correlation_id="x" * 256),
        an_envelope(routing_key="dhos." + "x" * 256),
        an_envelope(correlation_id="\ud800"),
    ],
)
def test_what_amqp_cannot_carry_is_impossible_and_harms_no_other(
    shared_rabbitmq: BrokerAddress, publisher: Publisher, impossible: Envelope
) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    batch = [an_envelope(), impossible, an_envelope()]
    assert publisher.publish(batch) == [Outcome.CONFIRMED, Outcome.IMPOSSIBLE, Outcome.CONFIRMED]
    assert publisher.publish(batch[:1]) == [Outcome.CONFIRMED]
    assert _ids(consumer, 3) == [batch[0].id, batch[2].id, batch[0].id]
    consumer.close()


def test_the_topology_is_the_one_other_services_declare(
    shared_rabbitmq: BrokerAddress, publisher: Publisher
) -> None:
    assert publisher.ready()
    connection = pika.BlockingConnection(shared_rabbitmq.parameters("another service"))
    channel = connection.channel()
    channel.exchange_declare("dhos", "topic", durable=True)
    channel.exchange_declare("dhos-dlx", "fanout", durable=True)
    channel.exchange_declare("dhos-retry", "fanout", durable=True)
    channel.queue_declare("errors", durable=True)
    arguments = {"x-message-ttl": 60000, "x-dead-letter-exchange": "dhos", "x-queue-mode": "default"}
    channel.queue_declare("retry", durable=True, arguments=arguments)
    channel.confirm_delivery()
    for exchange, queue in (("dhos-dlx", "errors"), ("dhos-retry", "retry")):
        channel.basic_publish(exchange, "any.key", b"1", mandatory=True)
        assert channel.queue_declare(queue, passive=True).method.message_count == 1
    connection.close()


def test_where_others_declared_otherwise_it_publishes_all_the_same_and_says_so(
    shared_rabbitmq: BrokerAddress, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    connection = pika.BlockingConnection(shared_rabbitmq.parameters("another service"))
    connection.channel().queue_declare("retry", durable=True, arguments={"x-message-ttl": 1000})
    connection.close()
    assert publisher.publish([an_envelope()]) == [Outcome.CONFIRMED]
    assert "differ from the contract" in caplog.text
    consumer.close()


def test_a_deleted_exchange_is_declared_again(shared_rabbitmq: BrokerAddress, publisher: Publisher) -> None:
    assert publisher.ready()
    connection = pika.BlockingConnection(shared_rabbitmq.parameters("somebody careless"))
    connection.channel().exchange_delete(topology.EXCHANGE)
    connection.close()
    assert publisher.publish([an_envelope(), an_envelope()]) == [Outcome.UNKNOWN] * 2
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    assert publisher.publish([an_envelope()]) == [Outcome.CONFIRMED]
    consumer.close()


def test_wrong_credentials_give_no_connection_and_are_in_no_log(
    shared_rabbitmq: BrokerAddress, caplog: pytest.LogCaptureFixture
) -> None:
    address = BrokerAddress(
        shared_rabbitmq.host, shared_rabbitmq.port, shared_rabbitmq.vhost, "CANARYUSER", "CANARYWORD"
    )
    publisher = Publisher(address)
    with caplog.at_level(logging.DEBUG):
        assert not publisher.ready()
        assert publisher.publish([an_envelope()]) == [Outcome.UNKNOWN]
    publisher.close()
    assert "CANARYWORD" not in caplog.text + repr(address)
    assert "CANARYUSER" not in caplog.text


def test_without_a_broker_it_fails_at_once_and_does_not_hammer(caplog: pytest.LogCaptureFixture) -> None:
    hours = count(step=3600.0)  # nothing is kept quiet
    outage = Outage("RabbitMQ", BROKER_CONNECTED, lambda: next(hours))
    publisher = Publisher(BrokerAddress("127.0.0.1", 1), outage=outage)
    assert [publisher.ready() for _ in range(50)] == [False] * 50
    assert caplog.text.count("cannot be used") == 1
    publisher.idle(0.3)
    assert not publisher.ready()
    assert caplog.text.count("cannot be used") == 2
    publisher.close()


def test_a_broker_that_takes_everything_and_says_nothing_is_not_waited_for_for_ever(
    shared_rabbitmq: BrokerAddress,
) -> None:
    consumer = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    with MuteLine((shared_rabbitmq.host, shared_rabbitmq.port)) as line:
        publisher = Publisher(replace(shared_rabbitmq, port=line.port), confirm_timeout=1)
        assert publisher.publish([an_envelope()]) == [Outcome.CONFIRMED]
        line.speaks.clear()
        batch = [an_envelope() for _ in range(3)]
        assert publisher.publish(batch) == [Outcome.UNANSWERED] * 3
        assert not publisher.connected
        line.speaks.set()
        assert publisher.publish(batch[:1]) == [Outcome.CONFIRMED]
        publisher.close()
    assert _ids(consumer, 5)[1:] == [*(each.id for each in batch), batch[0].id]
    consumer.close()


def test_connections_that_end_before_any_answer_come_less_and_less_often(
    shared_rabbitmq: BrokerAddress, publisher: Publisher
) -> None:
    connection = pika.BlockingConnection(shared_rabbitmq.parameters("somebody careless"))
    channel = connection.channel()
    attempts = 0
    deadline = monotonic() + 2
    while monotonic() < deadline:
        if publisher.ready():
            attempts += 1
            channel.exchange_delete(topology.EXCHANGE)
            assert publisher.publish([an_envelope()]) == [Outcome.UNKNOWN]
        publisher.idle(0.01)
    connection.close()
    assert 2 <= attempts <= 6


def test_a_message_larger_than_the_broker_takes_is_impossible_alone_and_unknown_among_others(
    own_vhost: BrokerAddress,
) -> None:
    consumer = Consumer(own_vhost, "patients", [LEGACY_ROUTING_KEY])
    publisher = Publisher(own_vhost)
    large, small = an_envelope(b"x" * 1_000_001), an_envelope()
    assert publisher.publish([large, small])[0] is Outcome.UNKNOWN
    assert publisher.publish([large]) == [Outcome.IMPOSSIBLE]
    assert publisher.publish([small]) == [Outcome.CONFIRMED]
    publisher.close()
    consumer.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_it_comes_back_by_itself_after_the_broker_does(
    own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress, end: str
) -> None:
    Consumer(own_vhost, "patients", [LEGACY_ROUTING_KEY]).close()
    publisher = Publisher(own_vhost)
    first, second, third = (an_envelope() for _ in range(3))
    assert publisher.publish([first]) == [Outcome.CONFIRMED]
    own_rabbitmq.stop() if end == "stop" else own_rabbitmq.kill()
    assert publisher.publish([second]) == [Outcome.UNKNOWN]
    assert not publisher.connected
    own_rabbitmq.start()
    eventually(lambda: _served(publisher, 0.1).ready())
    assert publisher.publish([second, third]) == [Outcome.CONFIRMED] * 2
    consumer = Consumer(own_vhost, "patients", [])
    assert _ids(consumer, 3) == [first.id, second.id, third.id]
    publisher.close()
    consumer.close()


def test_a_blocked_broker_gets_nothing_more_and_the_batch_under_way_waits_for_it(
    own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress
) -> None:
    consumer = Consumer(own_vhost, "patients", [LEGACY_ROUTING_KEY])
    publisher = Publisher(own_vhost)
    assert publisher.publish([an_envelope()]) == [Outcome.CONFIRMED]
    own_rabbitmq.control("set_vm_memory_high_watermark", "0.000001")
    outcomes: list[list[Outcome]] = []
    batch = [an_envelope() for _ in range(3)]
    thread = threading.Thread(target=lambda: outcomes.append(publisher.publish(batch)))
    try:
        thread.start()
        eventually(lambda: publisher.blocked)
        throughout(lambda: publisher.blocked and publisher.connected and not outcomes, seconds=1)
    finally:
        own_rabbitmq.control("set_vm_memory_high_watermark", "0.4")
    thread.join(20)
    assert outcomes == [[Outcome.CONFIRMED] * 3]
    assert publisher.ready()
    assert len(_ids(consumer, 4)) == 4
    publisher.close()
    consumer.close()


def test_a_batch_that_waits_is_given_up_when_told_and_the_connection_cut(
    own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress
) -> None:
    Consumer(own_vhost, "patients", [LEGACY_ROUTING_KEY]).close()
    answers = iter([True, True, False])
    publisher = Publisher(own_vhost, keep_waiting=lambda: next(answers))
    assert publisher.ready()
    own_rabbitmq.control("set_vm_memory_high_watermark", "0.000001")
    try:
        assert publisher.publish([an_envelope()]) == [Outcome.UNKNOWN]
        assert not publisher.connected
        assert not publisher.blocked
    finally:
        own_rabbitmq.control("set_vm_memory_high_watermark", "0.4")
    publisher.close()


@pytest.mark.parametrize("goes_on", [True, False])
def test_the_next_address_is_tried_only_by_who_may_go_on(
    shared_rabbitmq: BrokerAddress, goes_on: bool
) -> None:
    nowhere = replace(shared_rabbitmq, port=1)
    publisher = Publisher(nowhere, [shared_rabbitmq], keep_waiting=lambda: goes_on)
    assert publisher.ready() == goes_on
    publisher.close()


@pytest.mark.slow
def test_an_idle_connection_outlives_its_heartbeats(shared_rabbitmq: BrokerAddress) -> None:
    """With a heartbeat of a second the broker gives up on a silent client after two."""
    Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY]).close()

    class Hasty(BrokerAddress):
        def parameters(self, name: str) -> pika.ConnectionParameters:
            parameters = BrokerAddress.parameters(self, name)
            parameters.heartbeat = 1
            return parameters

    publisher = Publisher(Hasty(shared_rabbitmq.host, shared_rabbitmq.port, shared_rabbitmq.vhost))
    assert publisher.ready()
    throughout(lambda: _served(publisher, 0.2).connected, seconds=4)
    assert publisher.publish([an_envelope()]) == [Outcome.CONFIRMED]
    publisher.close()


@pytest.mark.parametrize("leave", [Publisher.close, Publisher.drop])
def test_closing_leaves_no_connection_on_the_broker(
    own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress, leave: Callable[[Publisher], None]
) -> None:
    publisher = Publisher(own_vhost, name="leaving")
    assert publisher.ready()
    assert "leaving" in own_rabbitmq.listed("connections", "client_properties")
    leave(publisher)
    eventually(lambda: "leaving" not in own_rabbitmq.listed("connections", "client_properties"))
    publisher.close()


def test_a_consumer_gets_again_what_it_did_not_acknowledge(
    shared_rabbitmq: BrokerAddress, publisher: Publisher
) -> None:
    first = Consumer(shared_rabbitmq, "patients", [LEGACY_ROUTING_KEY])
    batch = [an_envelope() for _ in range(3)]
    publisher.publish(batch)
    taken = first.receive(5)
    assert taken is not None
    first.acknowledge(taken)
    assert first.receive(5) is not None
    first.close()
    second = Consumer(shared_rabbitmq, "patients", [])
    again = second.receive(5)
    assert again is not None
    assert again.redelivered
    second.reject(again, requeue=False)
    assert _ids(second, 1) == [batch[2].id]
    second.close()


def test_a_message_is_as_durable_as_its_queue(own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress) -> None:
    """Confirmed means on disk: kill -9 of the broker right after the confirm loses nothing."""
    Consumer(own_vhost, "patients", [LEGACY_ROUTING_KEY]).close()
    publisher = Publisher(own_vhost)
    batch = [an_envelope() for _ in range(200)]
    assert publisher.publish(batch) == [Outcome.CONFIRMED] * 200
    own_rabbitmq.kill()
    own_rabbitmq.start()
    consumer = Consumer(own_vhost, "patients", [])
    assert _ids(consumer, 200) == [envelope.id for envelope in batch]
    publisher.close()
    consumer.close()


def test_a_lost_broker_is_one_named_error_to_a_consumer(
    own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress
) -> None:
    consumer = Consumer(own_vhost, "patients", [LEGACY_ROUTING_KEY])
    own_rabbitmq.kill()
    with pytest.raises(BrokerUnavailable):
        consumer.receive(5)
    with pytest.raises(BrokerUnavailable):
        Consumer(own_vhost, "patients", [])
