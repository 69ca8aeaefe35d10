"""Many events of one request without HTTP: one that PostgreSQL will not have takes no other with it."""

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.events.mappings import Mappings
from dhos_connector_api.intake.receive_event import Circumstances
from dhos_connector_api.intake.receive_events import (
    GROUP,
    MOST_GROUP_BYTES,
    Request,
    Tally,
    groups,
    keep_group,
)

HERE = Circumstances("his", "his", "request-1", UTC, Mappings({}))


def an_event(number: int, **changes: Any) -> dict[str, Any]:
    event = {"source_system": "his", "event_code": f"E{number}", "encounter_id": "V1"}
    return event | {"event_id": f"N{number}"} | changes


def request_of(events: list[dict[str, Any]]) -> Request:
    """A request whose door lets everything through, as if the specification had a hole."""
    return Request([json.dumps(each).encode() for each in events], json.loads, HERE, None)


def keep(database: Database, events: list[dict[str, Any]]) -> Tally:
    tally = Tally()
    request = request_of(events)
    for group in groups(request):
        with database.statements() as connection:
            keep_group(connection, request, group, tally)
    return tally


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
    texts: Callable[[], Any] = lambda: (bytes(size) for _ in range(GROUP + 100))  # noqa: E731
    found = list(groups(Request(texts(), json.loads, HERE, uuid4())))
    assert [len(each) for each in found] == sizes
    assert [index for each in found for index, _ in each] == list(range(GROUP + 100))
