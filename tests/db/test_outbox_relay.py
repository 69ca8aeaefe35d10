"""The relay's step on a real PostgreSQL, with a broker written by hand."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY, Envelope, Outcome
from dhos_connector_api.db.engine import Database
from dhos_connector_api.outbox import search
from dhos_connector_api.outbox.relay import Relay
from dhos_connector_api.outbox.settlement import ERRORS
from tests.builders.outbox import put
from tests.rigs.relay_steps import Broker, Clockwork, a_relay, drain

pytest_plugins = ["tests.rigs.relay_session"]


def test_everything_is_published_once_in_order_and_then_there_is_nothing_to_do(session: Connection) -> None:
    broker = Broker()
    ids = put(session, 1203)
    relay = a_relay(session, broker)
    drain(relay)
    assert broker.taken == ids
    assert broker.batches == [500, 500, 203]
    assert search.depth_and_age(session) == []


def test_an_unroutable_row_waits_visibly_holds_only_its_stream_and_goes_out_once_bound(
    session: Connection,
) -> None:
    broker, monotonic = Broker(), Clockwork()
    broker.bound = {LEGACY_ROUTING_KEY}
    events = put(session, 3, routing_key=EVENT_ROUTING_KEY)
    legacy = put(session, 3)
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    assert broker.taken == legacy
    waiting = search.unpublished(session, dead=False, limit=9)
    assert [row["id"] for row in waiting] == events
    assert {row["last_error"] for row in waiting} == {ERRORS[Outcome.RETURNED]}

    later = put(session, 2)
    drain(relay)
    assert broker.taken == legacy + later, "the same sender's other routing key goes on"
    tried = len(broker.batches)
    monotonic.seconds += 1
    drain(relay)
    assert broker.batches[tried:] == [1], "a held stream is tried with one row, not with its backlog"

    broker.bound.add(EVENT_ROUTING_KEY)
    monotonic.seconds += 30
    drain(relay)
    assert broker.taken == legacy + later + events


def test_what_follows_a_refused_row_is_published_again_in_order(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    ids = put(session, 4)
    broker.refuses = {ids[1]}
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    assert [row["id"] for row in search.unpublished(session, dead=False, limit=9)] == ids[1:]
    broker.refuses, monotonic.seconds = set(), 1
    drain(relay)
    assert broker.taken == [ids[0], ids[2], ids[3], ids[1], ids[2], ids[3]]


def test_one_message_that_is_too_large_is_found_marked_dead_and_stops_nothing(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    ids, others = put(session, 20), put(session, 5, sender="LAB")
    broker.too_large = {ids[7]}
    relay = a_relay(session, broker, monotonic)
    relay.step()
    monotonic.seconds += 1
    drain(relay)
    assert [id_ for id_ in broker.taken if id_ in ids] == ids[:7] + ids[8:]
    assert [id_ for id_ in broker.taken if id_ in others] == others
    (dead,) = search.unpublished(session, dead=True, limit=9)
    assert (dead["id"], dead["last_error"]) == (ids[7], ERRORS[Outcome.IMPOSSIBLE])


def test_after_a_lost_connection_everything_without_an_answer_goes_out_again_in_order(
    session: Connection,
) -> None:
    broker, monotonic = Broker(), Clockwork()
    ids = put(session, 6)
    broker.breaks_after = 2
    relay = a_relay(session, broker, monotonic)
    relay.step()
    broker.breaks_after, broker.taken = None, []
    assert not relay.step(), "the stream is held back for a second"
    monotonic.seconds += 1
    drain(relay)
    assert broker.taken == ids[2:]
    assert [
        row["attempts"]
        for row in session.exec_driver_sql("SELECT attempts FROM outbox ORDER BY position").mappings()
    ] == [1, 1, 2, 2, 2, 2]


def test_a_new_relay_goes_on_where_the_last_one_died_between_confirm_and_settle(session: Connection) -> None:
    broker = Broker()
    ids = put(session, 5)

    def publish_and_die(batch: Sequence[Envelope]) -> list[Outcome]:
        broker.publish(batch)
        raise KeyboardInterrupt

    dying = Relay(publish_and_die, now=clock.now, monotonic=Clockwork())
    dying.begin(session)
    with pytest.raises(KeyboardInterrupt):
        dying.step()
    drain(a_relay(session, broker))
    assert broker.taken == ids + ids


def test_a_fault_while_publishing_is_not_repeated_at_once_with_the_same_batch(session: Connection) -> None:
    broker, clockwork = Broker(), Clockwork()
    ids = put(session, 3)
    faults = [RuntimeError("a fault of ours")]

    def publish(batch: Sequence[Envelope]) -> list[Outcome]:
        outcomes = broker.publish(batch)
        if faults:
            raise faults.pop()
        return outcomes

    relay = Relay(publish, now=clock.now, monotonic=clockwork)
    relay.begin(session)
    with pytest.raises(RuntimeError):
        relay.step()
    assert not relay.step(), "its senders are in doubt for a second"
    clockwork.seconds += 1
    drain(relay)
    assert broker.taken == ids + ids
    assert broker.batches == [3, 1, 1, 1]


def test_a_row_that_becomes_visible_late_is_not_skipped(session: Connection, database: Database) -> None:
    broker = Broker()
    relay = a_relay(session, broker)
    with database.transaction() as slow:
        late = put(slow, 1)
        early = put(session, 1)
        drain(relay)
        assert broker.taken == early
    drain(relay)
    assert broker.taken == early + late


def test_a_sender_keeps_its_order_over_its_routing_keys_through_failures(session: Connection) -> None:
    broker, clockwork = Broker(), Clockwork()
    ids = []
    for number in range(30):
        ids += put(session, 1, routing_key=EVENT_ROUTING_KEY if number % 3 == 0 else LEGACY_ROUTING_KEY)
    broker.refuses = {ids[9]}
    relay = a_relay(session, broker, clockwork)
    drain(relay)
    assert search.depth_and_age(session)
    broker.refuses = set()
    broker.taken.clear()
    clockwork.seconds = 60
    drain(relay)
    assert broker.taken == ids[9:]
    assert search.depth_and_age(session) == []


def test_an_unbound_event_key_does_not_hold_back_admissions(session: Connection) -> None:
    broker, clockwork = Broker(), Clockwork()
    broker.bound = {LEGACY_ROUTING_KEY}
    event = put(session, 1, routing_key=EVENT_ROUTING_KEY)
    admissions = put(session, 1000)
    relay = a_relay(session, broker, clockwork)
    drain(relay)
    assert broker.taken == admissions
    broker.bound.add(EVENT_ROUTING_KEY)
    clockwork.seconds = 60
    drain(relay)
    assert broker.taken == [*admissions, *event]
