"""Finding events: every filter, every order, every page."""

from typing import Any

import pytest

from dhos_connector_api.db.engine import Database
from dhos_connector_api.db.listing import MOST_COUNTED
from dhos_connector_api.events.search import find
from dhos_connector_api.events.store import insert
from dhos_connector_api.messages import store as messages
from tests.builders.event import kept_event, new_event, published
from tests.builders.rows import later


def ids(database: Database, filters: dict[str, Any] | None = None, **options: Any) -> list[Any]:
    with database.statements() as connection:
        return [row["id"] for row in find(connection, filters or {}, **options).rows]


def test_each_filter_finds_its_own(database: Database) -> None:
    his = kept_event(database, event_code="OPD_100%", encounter_id="V_1", patient_identifier="M1")
    lis = kept_event(
        database, source_system="LIS", event_code="LAB", encounter_id="V21", patient_identifier="N"
    )
    for filters, expected in (
        ({}, [lis, his]),
        ({"source_system": "lis"}, [lis]),
        ({"own_source": "HIS"}, [his]),
        ({"own_source": "his", "source_system": "lis"}, []),
        ({"event_code": "lab"}, [lis]),
        ({"encounter_id": "V21"}, [lis]),
        ({"encounter_id": "V2"}, []),
        ({"search": "v"}, [lis, his]),
        ({"search": "V_"}, [his]),
        ({"search": "opd_100%"}, [his]),
        ({"search": "opd_1%"}, []),
        ({"search": "m1"}, [his]),
        ({"search": "la", "source_system": "his"}, []),
        ({"search": "\\"}, []),
    ):
        assert ids(database, filters) == [each.id for each in expected], filters


def test_each_status_finds_its_own_and_together_they_find_all(database: Database) -> None:
    processed, dead, processing = (kept_event(database) for _ in range(3))
    published(database)
    ignored = kept_event(database, canonical_code=None)
    pending = kept_event(database)
    with database.transaction() as connection:
        messages.mark_processed(connection, processed.id, by=None, at=later())
        connection.exec_driver_sql(
            "UPDATE outbox SET dead_at = now(), published_at = NULL WHERE message_uuid = %(id)s",
            {"id": dead.id},
        )
    for status, expected in (
        ("processed", [processed]),
        ("processing", [processing]),
        ("pending", [pending]),
        ("ignored", [ignored]),
        ("failed", [dead]),
    ):
        with database.statements() as connection:
            found = find(connection, {"status": status})
        assert [row["id"] for row in found.rows] == [each.id for each in expected]
        assert {row["status"] for row in found.rows} == {status}
        assert found.count == len(expected)


@pytest.mark.parametrize("ordering", ["received_at", "occurred_at"])
def test_orders_and_pages_cover_all_once(database: Database, ordering: str) -> None:
    events = [kept_event(database, occurred_at=later()) for _ in range(7)]
    order = [each.id for each in events]
    assert ids(database, ordering=ordering) == order
    assert ids(database, ordering=f"-{ordering}") == order[::-1]
    pages = [ids(database, ordering=ordering, page=page, page_size=3) for page in (1, 2, 3, 4)]
    assert pages == [order[:3], order[3:6], order[6:], []]


def test_events_without_a_time_come_last_in_either_order(database: Database) -> None:
    timeless, early, late = (kept_event(database, occurred_at=at) for at in (None, later(), later()))
    assert ids(database, ordering="occurred_at") == [early.id, late.id, timeless.id]
    assert ids(database, ordering="-occurred_at") == [late.id, early.id, timeless.id]


def test_the_count_goes_as_far_as_it_says(database: Database) -> None:
    with database.statements() as connection:
        for _ in range(0, MOST_COUNTED + 500, 500):
            insert(connection, [new_event() for _ in range(500)])
        found = find(connection, {}, page_size=1)
    assert (found.count, found.more, len(found.rows)) == (MOST_COUNTED, True, 1)
