"""Backup and restore, as the runbook says: nothing is published twice that the dump knows as published."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from tests.builders.outbox import put
from tests.rigs.backup import back_up_and_restore
from tests.rigs.ledger import Platform, Sender
from tests.rigs.processes import Web, environment, rabbitmq, relay
from tests.rigs.shared_postgres import administration
from tests.rigs.stored import count
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def restored(own_database: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """An empty database beside the one that is dumped, for the dump to be restored into."""
    address = replace(own_database, name=f"connector_restored_{uuid4().hex[:12]}")
    with administration(own_database) as connection:
        connection.execute(text(f'CREATE DATABASE "{address.name}"'))
    yield address
    with administration(own_database) as connection:
        connection.execute(text(f'DROP DATABASE "{address.name}" WITH (FORCE)'))


def published(database: Database, *, is_published: bool = True) -> set[UUID]:
    """The envelopes that are published, or those that are not."""
    query = "SELECT id FROM outbox WHERE (published_at IS NOT NULL) = :published"
    with database.statements() as connection:
        return set(connection.execute(text(query), {"published": is_published}).scalars())


@pytest.fixture
def copy(restored: DatabaseAddress) -> Iterator[Database]:
    engine = create_engine(restored.url(), **engine_options(pool_size=2))
    yield Database(engine)
    engine.dispose()


def test_a_dump_of_the_service_in_use_is_restored_and_goes_on_where_it_was(
    own_database: DatabaseAddress,
    own_pool: Database,
    restored: DatabaseAddress,
    copy: Database,
    shared_rabbitmq: BrokerAddress,
    tmp_path: Path,
) -> None:
    """Senders post and the relay publishes while the dump is made; some of it waits in the dump."""
    platform, sender, busy = Platform(shared_rabbitmq), Sender("DUMPED"), Sender("BUSY")
    environ = environment(own_database, **rabbitmq(shared_rabbitmq))
    known = [sender.next_message() for _ in range(5)]
    done: list[bool] = []

    def keep_posting(url: str) -> None:
        while not done:
            busy.offer(url, busy.next_message())

    with Web(environ, tmp_path) as web, ThreadPoolExecutor(1) as threads:
        with relay(environ, tmp_path):
            assert all(sender.offer(web.url, each) for each in known)
            platform.agree(sender)
            posting = threads.submit(keep_posting, web.url)
            eventually(lambda: len(busy.acknowledged) > 20)
        waits = sender.next_message()  # no relay runs: it waits in the dump
        assert sender.offer(web.url, waits)
        back_up_and_restore(own_database, restored, tmp_path)
        done.append(True)
        posting.result(20)
    already, waiting = published(copy), published(copy, is_published=False)
    assert len(already) >= 5
    assert waiting
    platform.collect()

    after = Platform(shared_rabbitmq)  # nothing is left in the queue
    environ = environment(restored, **rabbitmq(shared_rabbitmq))
    with Web(environ, tmp_path) as web, relay(environ, tmp_path):
        eventually(lambda: not published(copy, is_published=False), seconds=60)
        messages = count(copy)
        first = list(sender.acknowledged)
        assert all(sender.offer(web.url, each) for each in [*known, waits])
        assert sender.acknowledged[len(first) :] == first, "each is known as the message it was"
        assert count(copy) == messages
        fresh = sender.next_message()
        assert sender.offer(web.url, fresh)
        eventually(lambda: after.collect() and sender.acknowledged[-1] in after.ids, seconds=60)
    sent = {UUID(each) for each in after.ids.values()}
    assert not sent & already, "published in the dump, and published again"
    assert waiting <= sent
    assert first[-1] in after.ids


def test_what_is_dead_in_the_dump_is_dead_in_the_copy(
    own_database: DatabaseAddress,
    own_pool: Database,
    restored: DatabaseAddress,
    copy: Database,
    tmp_path: Path,
) -> None:
    with own_pool.transaction() as connection:
        ids = put(connection, 3)
        connection.execute(text("UPDATE outbox SET dead_at = now() WHERE id = :id"), {"id": ids[0]})
    back_up_and_restore(own_database, restored, tmp_path)
    with copy.statements() as connection:
        dead = connection.execute(text("SELECT id FROM outbox WHERE dead_at IS NOT NULL")).scalars().all()
    assert dead == ids[:1]
    with copy.transaction() as connection:  # positions go on where they were: order holds over a restore
        (again,) = put(connection, 1)
        order = connection.execute(text("SELECT id FROM outbox ORDER BY position")).scalars().all()
    assert order == [*ids, again]
