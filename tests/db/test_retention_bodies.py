"""Bodies go by the month, beside what comes in; a month that somebody waits for loses what nobody needs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from dhos_connector_api.messages import old_bodies
from dhos_connector_api.messages.periodic import create_partition
from dhos_connector_api.retention import periodic
from dhos_connector_api.retention import store as records
from dhos_connector_api.workers.housekeeping import Housekeeping
from tests.builders.old import NOW, old_message, uuids
from tests.builders.outbox import put
from tests.builders.rows import settings
from tests.rigs.shared_postgres import temporary_database
from tests.rigs.waiting import eventually

KEPT = settings(message_body_retention="90d")
SUMMER = [datetime(2031, month, 1, tzinfo=UTC) for month in (7, 8, 9, 12)]


@pytest.fixture
def fresh(postgres: DatabaseAddress, template: DatabaseAddress) -> Iterator[Database]:
    """A migrated database of the test's own with partitions for three months that are over, and for now."""
    with temporary_database(postgres, template=template) as address:
        engine = create_engine(address.url(), **engine_options(pool_size=4))
        database = Database(engine)
        for month in SUMMER:
            with database.transaction() as connection:
                create_partition(connection, month)
        yield database
        engine.dispose()


def keep_house(database: Database) -> None:
    keeper = Housekeeping(database, periodic.jobs(KEPT), now=lambda: NOW, monotonic=lambda: 0.0)
    while keeper.step():
        pass


def parts(database: Database) -> list[str]:
    with database.statements() as connection:
        query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'message_body'::regclass"
        return sorted(connection.execute(text(query)).scalars())


def kept(database: Database, month: int, **changes: bool) -> UUID:
    return old_message(database, at=datetime(2031, month, 15, tzinfo=UTC), **changes).uuid


def test_a_month_goes_when_all_of_it_is_old_and_the_facts_stay(fresh: Database) -> None:
    """On 9 December with 90 days: 10 September is the first day that is kept, so September stays whole."""
    gone, september, december = kept(fresh, 7), kept(fresh, 9), kept(fresh, 12)
    keep_house(fresh)
    assert parts(fresh) == ["message_body_2031_09", "message_body_2031_12", "message_body_default"]
    assert uuids(fresh, "message_body", "message_uuid") == {september, december}
    assert uuids(fresh) == {gone, september, december}
    with fresh.statements() as connection:
        (record,) = [each for each in records.totals(connection) if each["removed"]]
    assert (record["name"], record["removed"]) == ("message_body", 1)


def test_whether_a_month_is_needed_is_asked_once_nobody_can_come_to_need_it(fresh: Database) -> None:
    """A replay that comes between the first look and the lock keeps its body."""
    uuid, (july, *_) = kept(fresh, 7), _over(fresh)

    def needed() -> bool:
        with fresh.statements() as other:
            other.execute(text("SET lock_timeout = '50ms'"))
            with pytest.raises(OperationalError):
                other.execute(text(f"SELECT FROM {july.name}"))
            other.execute(text("RESET lock_timeout"))
        return True

    with fresh.transaction() as connection:
        assert old_bodies.drop(connection, july, needed) is None
    assert uuids(fresh, "message_body", "message_uuid") == {uuid}
    with fresh.transaction() as connection:
        removed = old_bodies.drop(connection, july, lambda: False)
    assert removed is not None
    assert removed.rows == 1
    assert july.name not in parts(fresh)


def _over(database: Database) -> list[old_bodies.Part]:
    with database.statements() as connection:
        return old_bodies.parts(connection, before=NOW)


def test_a_month_that_somebody_waits_for_loses_what_nobody_needs_and_goes_later(fresh: Database) -> None:
    waits, done = kept(fresh, 7, processed=False), kept(fresh, 7)
    keep_house(fresh)
    assert parts(fresh)[0] == "message_body_2031_07"
    assert uuids(fresh, "message_body", "message_uuid") == {waits}
    with fresh.transaction() as connection:
        connection.execute(text("UPDATE message SET is_processed = true"))
    keep_house(fresh)
    assert parts(fresh)[0] == "message_body_2031_09"
    assert uuids(fresh) == {waits, done}


@pytest.mark.parametrize("waits", ["envelope", "dead envelope", "waiting", "sending", "dead"])
def test_a_month_stays_for_an_envelope_or_a_delivery(fresh: Database, waits: str) -> None:
    """Of a message that is processed itself: a replay of it waits, or what was sent because of it."""
    uuid = kept(fresh, 7)
    with fresh.transaction() as connection:
        if "envelope" in waits:
            put(connection, message_uuid=uuid)
            connection.execute(
                text("UPDATE outbox SET dead_at = :dead"), {"dead": NOW if "dead" in waits else None}
            )
        else:
            connection.execute(
                text(
                    "INSERT INTO delivery"
                    " (uuid, message_uuid, destination, state, created, due_at, correlation_id)"
                    " VALUES (:uuid, :uuid, 'epr', :state, :at, :at, '')"
                ),
                {"uuid": uuid, "state": waits, "at": NOW},
            )
    keep_house(fresh)
    assert uuids(fresh, "message_body", "message_uuid") == {uuid}


def test_old_bodies_in_no_month_go_row_by_row(fresh: Database) -> None:
    old, young = kept(fresh, 5), old_message(fresh, at=datetime(2031, 11, 15, tzinfo=UTC)).uuid
    keep_house(fresh)
    assert uuids(fresh, "message_body", "message_uuid") == {young}
    assert uuids(fresh) == {old, young}


def test_a_month_in_use_is_dropped_later_and_nothing_waits_behind_the_attempt(fresh: Database) -> None:
    """Somebody reads the month for long. What comes in meanwhile is stored all the same."""
    kept(fresh, 7)
    job = next(each for each in periodic.jobs(KEPT) if each.name.endswith("message_body"))
    with ThreadPoolExecutor(1) as threads, fresh.transaction() as reading:
        reading.execute(text("SELECT count(*) FROM message_body"))
        dropping = threads.submit(_piece, fresh, job.step)
        stored = kept(fresh, 12)
        assert dropping.result(20)
        assert parts(fresh)[0] == "message_body_2031_07"
    keep_house(fresh)
    assert parts(fresh)[0] == "message_body_2031_09"
    assert stored in uuids(fresh, "message_body", "message_uuid")


def _piece(database: Database, step: object) -> bool:
    with database.transaction() as connection:
        return bool(step(connection, NOW))  # type: ignore[operator]


@pytest.mark.slow
def test_months_are_dropped_beside_inserts(fresh: Database) -> None:
    """Inserts go on from three connections while both months go; none of them fails or is lost."""
    for _ in range(200):
        kept(fresh, 7)
        kept(fresh, 8)
    stored: set[UUID] = set()
    done: list[bool] = []

    def insert() -> None:
        while not done:
            stored.add(old_message(fresh, at=NOW - timedelta(seconds=len(stored))).uuid)

    with ThreadPoolExecutor(2) as threads:
        inserting = [threads.submit(insert) for _ in range(2)]
        try:
            eventually(lambda: len(stored) > 50)
            for _ in range(20):
                keep_house(fresh)
                if len(parts(fresh)) == 3:
                    break
            at_least = len(stored) + 50
            eventually(lambda: len(stored) > at_least)
        finally:
            done.append(True)
        for each in inserting:
            each.result(20)
    assert parts(fresh) == ["message_body_2031_09", "message_body_2031_12", "message_body_default"]
    assert stored == uuids(fresh, "message_body", "message_uuid")
