"""The relay's worker on a real PostgreSQL: who may publish, and what is let go first."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.actions.envelope import Envelope, Outcome
from dhos_connector_api.broker.in_process import InProcess
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.outbox import search, store
from dhos_connector_api.workers.lease import session_engine
from dhos_connector_api.workers.relay import POLL, STANDBY_POLL, RelayWorker
from tests.builders.outbox import put
from tests.rigs.waiting import eventually


class RecordingOutlet:
    """Takes everything, and notes at each drop whether the worker still believed to be the relay."""

    def __init__(self, keep_waiting: Callable[[], bool]) -> None:
        self.keep_waiting = keep_waiting
        self.worker: RelayWorker | None = None
        self.taken: list[UUID] = []
        self.dropped_while_active: list[bool] = []
        self.during: Callable[[], None] = lambda: None
        self.is_ready = True

    def ready(self) -> bool:
        return self.is_ready

    def publish(self, batch: Sequence[Envelope]) -> list[Outcome]:
        self.taken += [envelope.id for envelope in batch]
        self.during()
        return [Outcome.CONFIRMED] * len(batch)

    def idle(self, seconds: float, bell: socket.socket | None = None) -> None:
        """Nothing to serve."""

    def drop(self) -> None:
        assert self.worker is not None
        self.dropped_while_active.append(self.worker.active)

    def close(self) -> None:
        """Nothing to close."""


class Worker:
    """A worker with its outlet and its session's name."""

    def __init__(self, address: DatabaseAddress, name: str) -> None:
        self.name = name
        self.stop = threading.Event()
        outlets: list[RecordingOutlet] = []

        def make(keep_waiting: Callable[[], bool]) -> RecordingOutlet:
            outlets.append(RecordingOutlet(keep_waiting))
            return outlets[0]

        self.relay = RelayWorker(session_engine(address.url(), name=name), make, self.stop)
        self.outlet = outlets[0]
        self.outlet.worker = self.relay


@pytest.fixture
def workers(address: DatabaseAddress, database: Database) -> Iterator[tuple[Worker, Worker]]:
    """Two workers that want the same lease; neither has made a step."""
    pair = Worker(address, "relay-one"), Worker(address, "relay-two")
    yield pair
    for each in pair:
        each.relay.close()


def _end_session(database: Database, name: str) -> None:
    """As an administrator, or a restart of PostgreSQL, does."""
    here = "FROM pg_stat_activity WHERE application_name = :name AND datname = current_database()"
    find = text(f"SELECT pg_terminate_backend(pid) {here}")
    gone = text(f"SELECT count(*) = 0 {here}")
    with database.statements() as connection:
        assert connection.execute(find, {"name": name}).scalar_one()

    def ended() -> bool:
        with database.statements() as connection:
            return bool(connection.execute(gone, {"name": name}).scalar_one())

    eventually(ended)


def _put(database: Database, count: int = 1, message_uuid: UUID | None = None) -> list[UUID]:
    with database.transaction() as connection:
        return put(connection, count, message_uuid=message_uuid)


@contextmanager
def _read_only(database: Database) -> Iterator[None]:
    """A database where new sessions can only read, as on a hot standby. Those of the pool are older."""
    alter = f'ALTER DATABASE "{database.engine.url.database}" SET default_transaction_read_only = '
    with database.statements() as connection:
        connection.execute(text(alter + "on"))
    try:
        yield
    finally:
        with database.statements() as connection:
            connection.execute(text("SET default_transaction_read_only = off"))
            connection.execute(text(alter + "off"))


def _waiting(database: Database) -> int:
    with database.statements() as connection:
        return sum(depth.waiting for depth in search.depth_and_age(connection))


def test_only_the_holder_of_the_lease_publishes(database: Database, workers: tuple[Worker, Worker]) -> None:
    one, two = workers
    ids = _put(database, 3)
    assert one.relay.step()
    assert not two.relay.step()
    assert (one.outlet.taken, two.outlet.taken) == (ids, [])
    assert (one.relay.rest(False), two.relay.rest(False)) == (POLL, STANDBY_POLL)


def test_a_standby_takes_over_when_the_holder_leaves(
    database: Database, workers: tuple[Worker, Worker]
) -> None:
    one, two = workers
    assert not one.relay.step()
    assert not two.relay.step()
    one.relay.close()
    ids = _put(database)
    assert two.relay.step()
    assert two.outlet.taken == ids
    assert not one.relay.step()
    assert one.outlet.taken == []


def test_when_the_session_is_lost_the_broker_is_let_go_before_anything_else(
    database: Database, workers: tuple[Worker, Worker]
) -> None:
    one, two = workers
    one.relay.step()
    ids = _put(database)
    _end_session(database, one.name)
    assert two.relay.step(), "the lease is free at once"
    assert not one.relay.step()
    assert one.outlet.dropped_while_active == [True]
    assert one.outlet.taken == [], "the first finds out before it publishes"
    assert two.outlet.taken == ids
    assert not one.relay.active


def test_a_session_lost_while_a_batch_is_under_way_settles_nothing(
    database: Database, workers: tuple[Worker, Worker]
) -> None:
    one, two = workers
    ids = _put(database)
    answers: list[bool] = []

    def lose_the_session() -> None:
        answers.append(one.outlet.keep_waiting())
        _end_session(database, one.name)
        answers.append(one.outlet.keep_waiting())

    one.outlet.during = lose_the_session
    assert not one.relay.step()
    assert answers == [True, False]
    assert one.outlet.dropped_while_active == [True]
    assert two.relay.step()
    assert two.outlet.taken == ids, "published again, under the same id"


def test_a_relay_without_a_broker_keeps_an_eye_on_its_lease(
    database: Database, workers: tuple[Worker, Worker]
) -> None:
    one, two = workers
    ids = _put(database)
    one.outlet.is_ready = False
    assert not one.relay.step()
    assert one.relay.rest(False) == POLL
    _end_session(database, one.name)
    one.relay.step()
    assert one.relay.rest(False) == STANDBY_POLL
    assert two.relay.step()
    assert two.outlet.taken == ids


def test_without_rabbitmq_rows_wait_visibly_until_there_is_a_broker(
    address: DatabaseAddress, database: Database, workers: tuple[Worker, Worker]
) -> None:
    ids = _put(database, 3)
    without = RelayWorker(session_engine(address.url()), lambda _: InProcess(), threading.Event())
    without.step()
    without.close()
    with database.statements() as connection:
        assert [depth.waiting for depth in search.depth_and_age(connection)] == [3]
    one, _ = workers
    assert one.relay.step()
    assert one.outlet.taken == ids
    with database.statements() as connection:
        assert search.depth_and_age(connection) == []


def _publish_and_lose_settling(database: Database, worker: Worker) -> list[UUID]:
    """Return three rows that RabbitMQ has confirmed, and that could not be settled: the session was lost."""
    ids = _put(database, 3)
    before = list(worker.outlet.taken)
    worker.outlet.during = lambda: _end_session(database, worker.name)
    assert not worker.relay.step()
    worker.outlet.during = lambda: None
    assert worker.outlet.taken[len(before) :][-3:] == ids
    return ids


def test_a_relay_that_cannot_settle_publishes_nothing_more_until_it_could(
    database: Database, workers: tuple[Worker, Worker]
) -> None:
    one, _ = workers
    assert not one.relay.step()
    with _read_only(database):
        ids = _publish_and_lose_settling(database, one)
        later = _put(database, 2)
        for _ in range(20):
            assert not one.relay.step()
        assert one.outlet.taken == ids, "one copy each"
        assert _waiting(database) == 5
    assert one.relay.step()
    assert one.outlet.taken == ids + later, "settled first, and not published again"
    assert _waiting(database) == 0


def test_a_relay_that_is_started_where_nothing_can_be_written_publishes_nothing(
    database: Database, workers: tuple[Worker, Worker]
) -> None:
    one, two = workers
    ids = _put(database, 3)
    with _read_only(database):
        for _ in range(5):
            assert not one.relay.step()
            assert not two.relay.step()
            one.relay.close()
        assert one.outlet.taken == two.outlet.taken == []
        assert _waiting(database) == 3
    _step_until(two, lambda: two.outlet.taken == ids)


def _step_until(worker: Worker, check: Callable[[], bool]) -> None:
    def stepped() -> bool:
        worker.relay.step()
        return check()

    eventually(stepped)


def test_what_a_replay_made_wait_again_meanwhile_is_published_again(
    database: Database, workers: tuple[Worker, Worker]
) -> None:
    one, _ = workers
    one.relay.step()
    message = uuid4()
    replayed = _put(database, 1, message)
    with _read_only(database):
        others = _publish_and_lose_settling(database, one)
        with database.transaction() as connection:
            connection.execute(text("SET LOCAL transaction_read_only = off"))
            assert store.republish(connection, message) == 1
        assert not one.relay.step()
    assert one.relay.step()
    assert one.outlet.taken == [*replayed, *others, *replayed]
    assert _waiting(database) == 0


def test_what_another_relay_has_settled_meanwhile_stays_as_it_is(
    database: Database, workers: tuple[Worker, Worker]
) -> None:
    one, two = workers
    one.relay.step()
    ids = _publish_and_lose_settling(database, one)
    assert two.relay.step()
    assert two.outlet.taken == ids, "one more copy, by another process"
    settled = "SELECT id, published_at, attempts FROM outbox ORDER BY position"
    with database.statements() as connection:
        before = connection.execute(text(settled)).all()
    two.relay.close()
    assert not one.relay.step()
    with database.statements() as connection:
        assert connection.execute(text(settled)).all() == before
    assert one.outlet.taken == ids
