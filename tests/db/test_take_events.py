"""Many events of one request without HTTP: one that PostgreSQL will not have takes no other with it."""

import json
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.errors import StorageBusy, StorageUnavailable
from dhos_connector_api.events import store
from dhos_connector_api.intake.arrival import Door, Read
from dhos_connector_api.intake.bulk import Tally, take_events
from dhos_connector_api.intake.event import MOST as GROUP
from dhos_connector_api.intake.event import MOST_BYTES as MOST_GROUP_BYTES
from dhos_connector_api.intake.event import identity_of
from dhos_connector_api.intake.together import groups
from dhos_connector_api.messages.kinds import Kind
from tests.builders.event import new_event
from tests.builders.intake import INTAKE, an_arrival


def an_event(number: int, **changes: Any) -> dict[str, Any]:
    event = {"source_system": "his", "event_code": f"E{number}", "encounter_id": "V1"}
    return event | {"event_id": f"N{number}"} | changes


def keep(database: Database, events: list[dict[str, Any]]) -> Tally:
    """What becomes of a request whose door lets everything through, as if the specification had a hole."""
    texts = [json.dumps(each).encode() for each in events]
    door = Door(source="his")
    return take_events(texts, INTAKE, database, caller="his", correlation_id="request-1", door=door)


def codes(database: Database) -> list[str]:
    with database.statements() as connection:
        found = connection.execute(text("SELECT body FROM outbox ORDER BY position")).scalars()
        return [json.loads(bytes(each))["actions"][0]["data"]["event_code"] for each in found]


def test_what_postgresql_will_not_have_is_told_and_nothing_else_is_lost(database: Database) -> None:
    events = [an_event(number) for number in range(GROUP + 20)]
    for bad in (7, GROUP + 1, GROUP + 2):
        events[bad] |= {"encounter_id": "\0"}
    events[GROUP + 10] = an_event(3)
    tally = keep(database, events)
    assert [each["index"] for each in tally.errors] == [7, GROUP + 1, GROUP + 2]
    assert (tally.created, tally.duplicates) == (GROUP + 16, 1)
    left = [number for number in range(GROUP + 20) if number not in (7, GROUP + 1, GROUP + 2, GROUP + 10)]
    assert codes(database) == [f"E{number}" for number in left]


def test_a_database_that_is_away_is_no_fault_of_an_event() -> None:
    away = Database(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(StorageUnavailable):
        keep(away, [an_event(1)])


@pytest.mark.parametrize(
    ("size", "sizes"),
    [(10, [GROUP, 100]), (MOST_GROUP_BYTES // 100, [100] * 6), (MOST_GROUP_BYTES + 1, [1] * (GROUP + 100))],
)
def test_a_group_is_so_many_events_or_so_many_bytes(size: int, sizes: list[int]) -> None:
    one = an_arrival(bytes(size), Kind.EVENT)
    found = groups(Read(arrival=one, intake=INTAKE) for _ in range(GROUP + 100))
    assert [len(each) for each in found] == sizes


def test_behind_an_event_that_is_busy_nothing_of_the_request_is_kept(database: Database) -> None:
    """Else the request that comes again would keep what has no name twice, and out of order."""
    nameless = {"event_id": None}
    events = [an_event(1, **nameless), an_event(2), an_event(3, **nameless)]
    own = Database(create_engine(database.engine.url, **engine_options(pool_size=2, lock_timeout=0.2)))
    with database.engine.connect().execution_options(isolation_level="READ COMMITTED") as other:
        store.insert(other, [new_event(identity=identity_of("his", "N2"))])
        with pytest.raises(StorageBusy):
            keep(own, events)
        other.rollback()
    assert codes(database) == []
    assert keep(own, events).created == 3
    assert codes(database) == ["E1", "E2", "E3"]
    own.engine.dispose()


def test_any_number_of_events_that_postgresql_will_not_have_is_told(database: Database) -> None:
    events = [an_event(number, encounter_id="\0") for number in range(GROUP + 5)]
    assert keep(database, events).failed == GROUP + 5
