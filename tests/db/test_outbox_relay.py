"""The relay's step on a real PostgreSQL, with a broker written by hand."""

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import pytest
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY, Envelope, Outcome
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.outbox import search
from dhos_connector_api.outbox.relay import ERRORS, Relay
from dhos_connector_api.workers.lease import session_engine
from tests.builders.outbox import put


class Broker:
    """Keeps what it takes. `bound` are the routing keys with a queue; it can be told to misbehave."""

    def __init__(self) -> None:
        self.taken: list[UUID] = []
        self.batches: list[int] = []
        self.bound = {LEGACY_ROUTING_KEY, EVENT_ROUTING_KEY}
        self.too_large: set[UUID] = set()
        self.refuses: set[UUID] = set()
        self.breaks_after: int | None = None

    def publish(self, batch: Sequence[Envelope]) -> list[Outcome]:
        self.batches.append(len(batch))
        if any(envelope.id in self.too_large for envelope in batch):
            return [Outcome.IMPOSSIBLE if len(batch) == 1 else Outcome.UNKNOWN] * len(batch)
        outcomes = [self._outcome(envelope) for envelope in batch]
        if self.breaks_after is not None:
            outcomes[self.breaks_after :] = [Outcome.UNKNOWN] * (len(batch) - self.breaks_after)
        return outcomes

    def _outcome(self, envelope: Envelope) -> Outcome:
        if envelope.routing_key not in self.bound:
            return Outcome.RETURNED
        if envelope.id in self.refuses:
            return Outcome.REFUSED
        self.taken.append(envelope.id)
        return Outcome.CONFIRMED


@pytest.fixture
def session(address: DatabaseAddress, database: Database) -> Iterator[Connection]:
    """A session as the relay has it."""
    engine = session_engine(address.url())
    with engine.connect() as connection:
        yield connection
    engine.dispose()


class Clockwork:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _relay(session: Connection, broker: Broker, monotonic: Callable[[], float] | None = None) -> Relay:
    return Relay(session, broker.publish, now=clock.now, monotonic=monotonic or Clockwork())


def _drain(relay: Relay, steps: int = 100) -> None:
    for _ in range(steps):
        if not relay.step():
            return
    raise AssertionError("the relay does not come to rest")


def test_everything_is_published_once_in_order_and_then_there_is_nothing_to_do(session: Connection) -> None:
    broker = Broker()
    ids = put(session, 1203)
    relay = _relay(session, broker)
    _drain(relay)
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
    relay = _relay(session, broker, monotonic)
    _drain(relay)
    assert broker.taken == legacy
    waiting = search.unpublished(session, dead=False, limit=9)
    assert [row["id"] for row in waiting] == events
    assert {row["last_error"] for row in waiting} == {ERRORS[Outcome.RETURNED]}

    later = put(session, 2)
    _drain(relay)
    assert broker.taken == legacy + later, "the same sender's other routing key goes on"
    tried = len(broker.batches)
    monotonic.seconds += 1
    _drain(relay)
    assert broker.batches[tried:] == [1], "a held stream is tried with one row, not with its backlog"

    broker.bound.add(EVENT_ROUTING_KEY)
    monotonic.seconds += 30
    _drain(relay)
    assert broker.taken == legacy + later + events


def test_what_follows_a_refused_row_is_published_again_in_order(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    ids = put(session, 4)
    broker.refuses = {ids[1]}
    relay = _relay(session, broker, monotonic)
    _drain(relay)
    assert [row["id"] for row in search.unpublished(session, dead=False, limit=9)] == ids[1:]
    broker.refuses, monotonic.seconds = set(), 1
    _drain(relay)
    assert broker.taken == [ids[0], ids[2], ids[3], ids[1], ids[2], ids[3]]


def test_one_message_that_is_too_large_is_found_marked_dead_and_stops_nothing(session: Connection) -> None:
    broker, monotonic = Broker(), Clockwork()
    ids, others = put(session, 20), put(session, 5, sender="LAB")
    broker.too_large = {ids[7]}
    relay = _relay(session, broker, monotonic)
    relay.step()
    monotonic.seconds += 1
    _drain(relay)
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
    relay = _relay(session, broker, monotonic)
    relay.step()
    broker.breaks_after, broker.taken = None, []
    assert not relay.step(), "the stream is held back for a second"
    monotonic.seconds += 1
    _drain(relay)
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

    with pytest.raises(KeyboardInterrupt):
        Relay(session, publish_and_die, now=clock.now, monotonic=Clockwork()).step()
    _drain(_relay(session, broker))
    assert broker.taken == ids + ids


def test_a_row_that_becomes_visible_late_is_not_skipped(session: Connection, database: Database) -> None:
    broker = Broker()
    relay = _relay(session, broker)
    with database.transaction() as slow:
        late = put(slow, 1)
        early = put(session, 1)
        _drain(relay)
        assert broker.taken == early
    _drain(relay)
    assert broker.taken == early + late


def test_a_sender_keeps_its_order_over_its_routing_keys_through_failures(session: Connection) -> None:
    broker, clockwork = Broker(), Clockwork()
    ids = []
    for number in range(30):
        ids += put(session, 1, routing_key=EVENT_ROUTING_KEY if number % 3 == 0 else LEGACY_ROUTING_KEY)
    broker.refuses = {ids[9]}
    relay = _relay(session, broker, clockwork)
    _drain(relay)
    assert search.depth_and_age(session)
    broker.refuses = set()
    broker.taken.clear()
    clockwork.seconds = 60
    _drain(relay)
    assert broker.taken == ids[9:]
    assert search.depth_and_age(session) == []


def test_an_unbound_event_key_does_not_hold_back_admissions(session: Connection) -> None:
    broker, clockwork = Broker(), Clockwork()
    broker.bound = {LEGACY_ROUTING_KEY}
    event = put(session, 1, routing_key=EVENT_ROUTING_KEY)
    admissions = put(session, 1000)
    relay = _relay(session, broker, clockwork)
    _drain(relay)
    assert broker.taken == admissions
    broker.bound.add(EVENT_ROUTING_KEY)
    clockwork.seconds = 60
    _drain(relay)
    assert broker.taken == [*admissions, *event]
