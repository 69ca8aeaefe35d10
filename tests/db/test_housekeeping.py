"""Housekeeping on a real PostgreSQL: pruning, and partitions for the months to come."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, create_engine, text

from dhos_connector_api.app.housekeeping import jobs
from dhos_connector_api.clock import now
from dhos_connector_api.db import migrate
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from dhos_connector_api.db.jobs import EVERY_MINUTE, PRUNED_AT_ONCE, Job
from dhos_connector_api.db.months import months
from dhos_connector_api.events import idempotency
from dhos_connector_api.inbox import store as inbox
from dhos_connector_api.messages.periodic import make_partitions
from dhos_connector_api.outbox import store
from dhos_connector_api.px.audit import periodic as audit
from dhos_connector_api.workers import housekeeping
from dhos_connector_api.workers.housekeeping import Housekeeping
from tests.builders.outbox import put
from tests.builders.rows import settings
from tests.rigs.shared_postgres import temporary_database

DECEMBER = datetime(2031, 12, 9, 12, tzinfo=UTC)
#: The jobs of every room, with envelopes kept for a week.
JOBS = jobs(settings())
#: Those that remove what has had its time.
PRUNING = [each for each in JOBS if each.step not in {make_partitions, audit.make_partitions}]


@pytest.fixture
def fresh(postgres: DatabaseAddress) -> Iterator[Database]:
    """A migrated database of the test's own, since partitions stay."""
    with temporary_database(postgres) as address:
        engine = create_engine(address.url(), **engine_options(pool_size=3))
        migrate.upgrade(engine)
        yield Database(engine)
        engine.dispose()


def _partitions(connection: Connection) -> list[str]:
    found = connection.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'message_body'::regclass")
    )
    return sorted(found.scalars())


def _keep_house(keeper: Housekeeping) -> None:
    """Do piece after piece, until there is no more."""
    while keeper.step():
        pass


def _store_body(connection: Connection, created: datetime) -> str:
    """Store a body and tell which partition it went to."""
    return str(
        connection.execute(
            text(
                "INSERT INTO message_body (message_uuid, created, received) VALUES (:uuid, :created, '')"
                " RETURNING tableoid::regclass::text"
            ),
            {"uuid": uuid4(), "created": created},
        ).scalar_one()
    )


def test_months_go_over_the_end_of_the_year() -> None:
    assert [f"{month:%Y-%m-%d %H:%M %Z}" for month in months(DECEMBER, 2)] == [
        "2031-12-01 00:00 UTC",
        "2032-01-01 00:00 UTC",
        "2032-02-01 00:00 UTC",
    ]


def test_each_month_gets_its_partition_once(fresh: Database) -> None:
    for _ in range(2):
        _keep_house(Housekeeping(fresh, JOBS, now=lambda: DECEMBER))
    with fresh.transaction() as connection:
        assert _partitions(connection) == [
            "message_body_2031_12",
            "message_body_2032_01",
            "message_body_2032_02",
            "message_body_default",
        ]
        first = datetime(2032, 1, 1, tzinfo=UTC)
        assert _store_body(connection, first) == "message_body_2032_01"
        assert _store_body(connection, first - timedelta(microseconds=1)) == "message_body_2031_12"
        assert _store_body(connection, datetime(2033, 1, 1, tzinfo=UTC)) == "message_body_default"


def test_a_month_that_is_in_the_default_partition_already_stays_there(fresh: Database) -> None:
    with fresh.transaction() as connection:
        assert _store_body(connection, DECEMBER) == "message_body_default"
    _keep_house(Housekeeping(fresh, JOBS, now=lambda: DECEMBER))
    with fresh.transaction() as connection:
        names = _partitions(connection)
        assert _store_body(connection, DECEMBER) == "message_body_default"
    assert names == ["message_body_2032_01", "message_body_2032_02", "message_body_default"]


@pytest.mark.slow
def test_a_busy_table_is_tried_again_and_holds_nobody_up(
    fresh: Database, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = [0.0]
    keeper = Housekeeping(fresh, JOBS, now=lambda: DECEMBER, monotonic=lambda: seconds[0])
    with fresh.transaction() as busy:
        busy.execute(text("LOCK TABLE message_body IN ACCESS EXCLUSIVE MODE"))
        keeper.step()
        assert _partitions(busy) == ["message_body_default"]
    assert [
        getattr(each, "partition", None) for each in caplog.records if "partition yet" in each.message
    ] == ["message_body_2031_12"]
    seconds[0] += housekeeping.REST
    _keep_house(keeper)
    with fresh.statements() as connection:
        assert len(_partitions(connection)) == 4


def test_each_month_is_a_transaction_of_its_own(fresh: Database) -> None:
    made = []
    for more in (True, True, True, False):
        with fresh.transaction() as connection:
            assert make_partitions(connection, DECEMBER) is more
        with fresh.statements() as connection:
            made.append(len(_partitions(connection)) - 1)
    assert made == [1, 2, 3, 3]


def test_a_month_that_fails_undoes_none_before_it(fresh: Database, caplog: pytest.LogCaptureFixture) -> None:
    with fresh.transaction() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF to_regclass('message_body_2032_01') IS NOT NULL THEN RAISE 'not now'; END IF; END $$"
            )
        )
        connection.execute(text("CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION refuse()"))
    _keep_house(Housekeeping(fresh, JOBS, now=lambda: DECEMBER))
    with fresh.statements() as connection:
        assert _partitions(connection) == ["message_body_2031_12", "message_body_default"]
    failed = [each for each in caplog.records if each.message == "could not make a partition yet"]
    assert [vars(each)["partition"] for each in failed] == ["message_body_2032_01"]


def test_published_envelopes_go_after_their_time_in_bounded_pieces(database: Database) -> None:
    with database.transaction() as connection:
        old, young = put(connection, PRUNED_AT_ONCE + 1), put(connection, 1)
        store.settle(connection, old, at=now() - timedelta(days=8))
        store.settle(connection, young, at=now() - timedelta(days=6))
    keeper = Housekeeping(database, PRUNING)
    assert keeper.step()
    assert not keeper.step()
    with database.statements() as connection:
        assert connection.execute(text("SELECT id FROM outbox")).scalars().all() == young


def test_one_process_at_a_time_keeps_house(database: Database) -> None:
    with database.transaction() as connection:
        store.settle(connection, put(connection, 1), at=now() - timedelta(days=8))
    with database.transaction() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": housekeeping.HOUSEKEEPING_LOCK})
        assert not Housekeeping(database, PRUNING).step()
        assert other.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 1
    Housekeeping(database, PRUNING).step()
    with database.statements() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 0


def test_idempotency_keys_are_forgotten_after_a_day(fresh: Database) -> None:
    at = now()
    with fresh.transaction() as connection:
        for number, age in enumerate((timedelta(hours=23), timedelta(hours=25))):
            request = idempotency.Request(bytes([number]), b"")
            idempotency.claim(connection, request, uuid4(), at=at - age)
    keeper = Housekeeping(fresh, PRUNING, now=lambda: at)
    assert not keeper.step()
    with fresh.statements() as connection:
        assert connection.execute(text("SELECT key FROM idempotency_key")).scalars().all() == [b"\x00"]


def test_applied_envelopes_are_forgotten_when_they_cannot_come_again(database: Database) -> None:
    at, old, young = now(), uuid4(), uuid4()
    with database.transaction() as connection:
        inbox.record(connection, "journeys", old, at - timedelta(days=15))
        inbox.record(connection, "journeys", young, at - timedelta(days=13))
    assert not Housekeeping(database, PRUNING).step()
    with database.statements() as connection:
        assert connection.execute(text("SELECT message_id FROM inbox")).scalars().all() == [young]


def test_a_job_that_fails_stops_no_other_and_is_tried_again(database: Database) -> None:
    seconds, attempts, done = [0.0], list[datetime](), list[datetime]()

    def bad(connection: Connection, at: datetime) -> bool:
        attempts.append(at)
        connection.execute(text("INSERT INTO event_mapping (id) VALUES (NULL)"))
        return True

    def good(_: Connection, at: datetime) -> bool:
        done.append(at)
        return False

    hourly = [Job("bad", timedelta(hours=1), bad), Job("good", timedelta(hours=1), good)]
    keeper = Housekeeping(database, hourly, now=lambda: DECEMBER, monotonic=lambda: seconds[0])
    assert not keeper.step()
    assert (len(attempts), len(done)) == (1, 1)
    seconds[0] += housekeeping.REST
    keeper.step()
    assert (len(attempts), len(done)) == (2, 1)


def test_a_job_goes_on_until_nothing_is_left_and_then_waits_until_it_is_due(database: Database) -> None:
    seconds, done = [0.0], list[datetime]()

    def job(_: Connection, at: datetime) -> bool:
        done.append(at)
        return len(done) == 1  # after the first piece more is left

    keeper = Housekeeping(
        database, [Job("counted", EVERY_MINUTE, job)], now=lambda: DECEMBER, monotonic=lambda: seconds[0]
    )
    assert keeper.step()
    assert not keeper.step()
    seconds[0] += 59
    assert not keeper.step()
    assert len(done) == 2
    seconds[0] += 1
    keeper.step()
    assert len(done) == 3
