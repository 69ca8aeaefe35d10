"""The inbox on a real PostgreSQL: an envelope is recorded once, and with its effect or not at all."""

from threading import Barrier, Thread
from uuid import uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox import store


def _count(database: Database) -> int:
    with database.statements() as connection:
        counted: int = connection.execute(text("SELECT count(*) FROM inbox")).scalar_one()
        return counted


def test_an_envelope_is_recorded_once_for_each_consumer(database: Database) -> None:
    message_id = uuid4()
    with database.transaction() as connection:
        assert store.record(connection, "journeys", message_id, now())
        assert not store.record(connection, "journeys", message_id, now())
        assert store.record(connection, "surveys", message_id, now())
        assert store.record(connection, "journeys", uuid4(), now())
    assert _count(database) == 3


def test_of_sessions_that_record_at_once_one_is_first(database: Database) -> None:
    message_id, sessions = uuid4(), 8
    together, found = Barrier(sessions), list[bool]()

    def consume() -> None:
        together.wait(timeout=20)
        with database.transaction() as connection:
            found.append(store.record(connection, "journeys", message_id, now()))

    threads = [Thread(target=consume) for _ in range(sessions)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=20)
    assert sorted(found) == [False] * (sessions - 1) + [True]
    assert _count(database) == 1


def test_the_second_waits_and_is_first_when_the_first_is_undone(database: Database) -> None:
    message_id, found = uuid4(), list[bool]()

    def consume() -> None:
        with database.transaction() as connection:
            found.append(store.record(connection, "journeys", message_id, now()))

    second = Thread(target=consume)
    with database.engine.connect().execution_options(isolation_level="READ COMMITTED") as first:
        assert store.record(first, "journeys", message_id, now())
        second.start()
        second.join(timeout=0.3)
        assert second.is_alive()
        assert found == []
        first.rollback()
    second.join(timeout=20)
    assert found == [True]
    assert _count(database) == 1


def test_a_record_is_undone_with_its_effect(database: Database) -> None:
    message_id = uuid4()
    with pytest.raises(LookupError), database.transaction() as connection:
        assert store.record(connection, "journeys", message_id, now())
        raise LookupError("the effect failed")
    with database.transaction() as connection:
        assert store.record(connection, "journeys", message_id, now())


def test_pruning_goes_in_pieces_from_the_oldest_on(database: Database) -> None:
    at = now()
    ids = [uuid4() for _ in range(3)]
    with database.transaction() as connection:
        for number, each in enumerate(ids):
            store.record(connection, "journeys", each, at.replace(year=2020 + number, day=1))
        before = at.replace(year=2022, day=1)
        assert store.prune(connection, before=before, limit=1) == 1
        left = connection.execute(text("SELECT message_id FROM inbox ORDER BY received_at")).scalars().all()
        assert left == ids[1:]
        assert store.prune(connection, before=before, limit=5) == 1
        assert store.prune(connection, before=before, limit=5) == 0
