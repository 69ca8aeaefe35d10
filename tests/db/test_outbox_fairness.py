"""What failed does not stop what is new, nor does who sends much, or large things, stop the others."""

from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Connection, text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY
from dhos_connector_api.db.engine import Database
from dhos_connector_api.outbox import search
from dhos_connector_api.outbox.relay import Relay
from dhos_connector_api.outbox.statements import LARGE
from tests.builders.outbox import put, put_crowd
from tests.rigs.relay_steps import Broker, Clockwork, a_relay, drain

pytest_plugins = ["tests.rigs.relay_session"]

_WHY = ("unroutable", "refused", "in doubt")


def _waiting(connection: Connection) -> int:
    return sum(depth.waiting for depth in search.depth_and_age(connection))


def _publishes_soon(relay: Relay, broker: Broker, ids: list[UUID], steps: int) -> None:
    """Fails unless these are published within so many steps."""
    for _ in range(steps):
        relay.step()
        if set(ids) <= set(broker.taken):
            return
    raise AssertionError(f"not published within {steps} steps")


@pytest.mark.parametrize("senders", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_fresh_admission_is_not_held_up_by_senders_with_an_unroutable_key(
    session: Connection, senders: int
) -> None:
    broker, monotonic = Broker(), Clockwork()
    broker.bound = {LEGACY_ROUTING_KEY}
    put_crowd(session, senders)
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    for seconds in (1, 3, 7, 15, 31, 61, 91):
        monotonic.seconds = seconds
        assert relay.behind, "a row of the key is due"
        ids = put(session, 3, sender=f"NEW{seconds}")
        _publishes_soon(relay, broker, ids, steps=2)
        drain(relay)
    assert len(broker.batches) < 30, "they are not tried one by one"
    assert _waiting(session) == senders


def test_once_a_queue_is_bound_all_senders_with_that_key_go_on_at_once(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    broker.bound = {LEGACY_ROUTING_KEY}
    put_crowd(session, 1200)
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    broker.bound.add(EVENT_ROUTING_KEY)
    broker.batches.clear()
    monotonic.seconds = 1
    drain(relay)
    assert broker.batches == [1, 500, 500, 199]


def test_the_row_that_tries_an_unroutable_key_overtakes_nothing_of_its_sender(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    broker.bound, broker.room = {LEGACY_ROUTING_KEY}, 0
    refused = put(session, 1, sender="A")
    waiting = put(session, 1, sender="A", routing_key=EVENT_ROUTING_KEY)
    other = put(session, 1, sender="B", routing_key=EVENT_ROUTING_KEY)
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    broker.bound.add(EVENT_ROUTING_KEY)
    broker.room = None
    broker.refuses = set(refused)
    for seconds in range(1, 60):
        monotonic.seconds = seconds
        drain(relay)
    assert broker.taken == other
    broker.refuses, monotonic.seconds = set(), 120
    drain(relay)
    assert broker.taken == other + refused + waiting


def test_senders_in_doubt_show_themselves_alone_while_others_go_on(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    for number in range(20):
        put(session, 1, sender=f"S{number}")
    broker.breaks_after = 0
    relay = a_relay(session, broker, monotonic)
    relay.step()
    broker.breaks_after, monotonic.seconds = None, 1
    broker.batches.clear()
    fresh = put(session, 5, sender="NEW")
    _publishes_soon(relay, broker, fresh, steps=2)
    drain(relay)
    assert sorted(broker.batches) == [1] * 20 + [5]


def test_a_full_backlog_of_others_does_not_delay_a_fresh_admission(session: Connection) -> None:
    broker = Broker()
    put_crowd(session, 3000, LEGACY_ROUTING_KEY)
    put(session, 3000, sender="BUSY")
    relay = a_relay(session, broker)
    relay.step()
    for number in range(3):
        _publishes_soon(relay, broker, put(session, 1, sender=f"NEW{number}"), steps=2)
    drain(relay)
    assert len(broker.taken) == len(set(broker.taken)) == 6003


def test_a_row_that_new_ones_hide_is_found_by_the_walk(session: Connection, database: Database) -> None:
    """A position that becomes visible late, or waits again, lies before what was seen."""
    broker = Broker()
    relay = a_relay(session, broker)
    with database.transaction() as slow:
        late = put(slow, 1, sender="LATE")
        put(session, 1)
        drain(relay)
    put(session, 1200)
    _publishes_soon(relay, broker, late, steps=2)


def test_large_bodies_go_alone_in_turn_with_the_small_ones_of_others(session: Connection) -> None:
    broker = Broker()
    large = [put(session, 3, sender=sender, size=LARGE) for sender in ("A", "B", "C")]
    small = put(session, 20, sender="SMALL")
    relay = a_relay(session, broker)
    _publishes_soon(relay, broker, small, steps=2)
    _publishes_soon(relay, broker, [ids[0] for ids in large], steps=6)
    _publishes_soon(relay, broker, put(session, 20, sender="NEW"), steps=2)
    drain(relay)
    assert sorted(broker.batches) == [1] * 9 + [20, 20]
    assert all([id_ for id_ in broker.taken if id_ in ids] == ids for ids in large)


def test_one_too_large_for_the_broker_is_dead_and_nobody_beside_it_is_published_twice(
    session: Connection,
) -> None:
    broker, monotonic = Broker(), Clockwork()
    before, large, after = put(session, 3), put(session, 1, size=LARGE), put(session, 3)
    others = put(session, 3, sender="LAB")
    broker.too_large = set(large)
    drain(a_relay(session, broker, monotonic))
    assert [id_ for id_ in broker.taken if id_ not in others] == before + after
    assert len(broker.taken) == 9
    assert [row["id"] for row in search.unpublished(session, dead=True, limit=9)] == large


def test_a_batch_that_takes_too_long_to_read_is_halved_and_grows_again(
    session: Connection, database: Database
) -> None:
    broker = Broker()
    ids = put(session, 900)
    relay = a_relay(session, broker)
    session.execute(text("SET statement_timeout = '100ms'"))
    with database.transaction() as locking:
        locking.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
        assert [relay.step() for _ in range(3)] == [False] * 3
    session.execute(text("SET statement_timeout = '5s'"))
    drain(relay)
    assert broker.batches == [62, 124, 248, 466]
    assert broker.taken == ids


def test_a_full_queue_is_tried_once_more_and_then_rarely_and_holds_up_no_other_key(
    session: Connection,
) -> None:
    broker, monotonic = Broker(), Clockwork()
    broker.room = 0
    ids = put(session, 5)
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    for _ in range(58):
        monotonic.seconds += 1
        drain(relay)
    assert broker.copies == dict.fromkeys(ids, 1) | {ids[0]: 2}
    broker.room = None
    broker.refuses = set(ids)
    events = put(session, 2, sender="LAB", routing_key=EVENT_ROUTING_KEY)
    drain(relay)
    assert broker.taken == events
    (row, *_) = search.unpublished(session, dead=False, limit=9)
    assert (row["id"], row["attempts"]) == (ids[0], 2)


def test_a_new_sender_shows_that_the_queue_has_room_again_and_then_all_go_on(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    broker.room = 0
    held = put(session, 20)
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    monotonic.seconds = 1
    drain(relay)
    broker.room = None
    monotonic.seconds = 5
    fresh = put(session, 1, sender="NEW")
    drain(relay)
    assert broker.taken == fresh + held
    assert max(broker.copies.values()) <= 3
    assert broker.batches[-5:] == [1, 2, 4, 8, 6], "with care at first: what has no room is copied again"


def test_new_senders_of_a_full_queue_are_tried_once_a_second_each_once(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    broker.room = 0
    put(session, 1)
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    monotonic.seconds = 1
    drain(relay)
    new = [put(session, 1, sender=f"NEW{number}")[0] for number in range(4)]
    broker.batches.clear()
    for _ in range(20):
        monotonic.seconds += 1
        drain(relay)
    assert broker.batches == [1] * 4
    assert [broker.copies[id_] for id_ in new] == [1] * 4


def test_a_queue_that_takes_little_at_a_time_gets_all_and_others_few_copies(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    broker.room = 10
    ids = [put(session, 10, sender=f"S{number}") for number in range(10)]
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    for _ in range(200):
        monotonic.seconds += 1
        broker.room = 10
        drain(relay)
        if not _waiting(session):
            break
    assert not _waiting(session)
    for mine in ids:
        assert [id_ for id_ in dict.fromkeys(broker.taken) if id_ in mine] == mine
    assert broker.copies.total() < 300


def test_what_a_sender_wrote_after_a_refused_row_waits_behind_it(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    refused = put(session, 1)
    broker.refuses = set(refused)
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    event = put(session, 1, routing_key=EVENT_ROUTING_KEY)
    drain(relay)
    assert broker.taken == []
    broker.refuses, monotonic.seconds = set(), 1
    drain(relay)
    assert broker.taken == refused + event


@pytest.mark.slow
def test_four_hundred_thousand_senders_are_drained_in_whole_batches_and_a_fresh_admission_goes_first(
    session: Connection,
) -> None:
    broker = Broker()
    put_crowd(session, 400_000, LEGACY_ROUTING_KEY)
    relay = a_relay(session, broker)
    relay.step()
    published = len(broker.taken)
    for number in range(40):
        _publishes_soon(relay, broker, put(session, 1, sender=f"NEW{number}"), steps=2)
    assert len(broker.taken) - published > 40 * 200, "whole batches go out; how fast, the benchmark shows"


def test_however_many_senders_wait_one_key_is_held(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    broker.bound = set()
    put_crowd(session, 2000)
    relay = a_relay(session, broker, monotonic)
    drain(relay)
    held = {why: REGISTRY.get_sample_value("connector_relay_held", {"why": why}) for why in _WHY}
    assert held == {"unroutable": 1, "refused": 0, "in doubt": 0}
