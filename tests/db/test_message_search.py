"""Search: newest first, in pages, over merges, and by index whatever the number of rows."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dhos_connector_api.actions.hl7.merges import Merge
from dhos_connector_api.db.engine import Database
from dhos_connector_api.messages import search, store
from dhos_connector_api.messages.search import Page
from dhos_connector_api.messages.views import CONTENT
from tests.builders.rows import WINDOW, effects, new_message


def _keep(
    database: Database, *identifiers: tuple[str, str], merges: Sequence[Any] = (), **changes: Any
) -> UUID:
    message = new_message(**changes)
    with database.transaction() as connection:
        brought = effects(message, identifiers=identifiers, merges=merges)
        assert store.insert(connection, message, brought, window=WINDOW)
    return message.uuid


def _found(database: Database, value: str, kind: str = "MRN") -> list[UUID]:
    with database.statements() as connection:
        page = search.by_identifier(connection, kind, value, limit=100, before=None)
    return [row["uuid"] for row in page.rows]


def test_messages_come_newest_first(database: Database) -> None:
    uuids = [_keep(database, ("MRN", "1")) for _ in range(3)]
    assert _found(database, "1") == uuids[::-1]


def test_an_identifier_is_found_only_under_its_own_type(database: Database) -> None:
    _keep(database, ("MRN", "1"))
    assert _found(database, "1", "NHS number") == []
    assert _found(database, "2") == []


def test_pages_join_without_gap_or_overlap(database: Database) -> None:
    uuids = [
        _keep(database, ("MRN", "1"), sending_application=f"S{n}", message_control_id="same")
        for n in range(7)
    ]
    queries: list[Callable[[Connection, UUID | None], Page]] = [
        lambda connection, before: search.by_identifier(connection, "MRN", "1", limit=3, before=before),
        lambda connection, before: search.by_control_id(connection, "same", limit=3, before=before),
        lambda connection, before: search.latest(connection, limit=3, before=before),
    ]
    for query in queries:
        assert _all_pages(database, query) == uuids[::-1]


def _all_pages(database: Database, query: Callable[[Connection, UUID | None], Page]) -> list[UUID]:
    seen: list[UUID] = []
    before = None
    with database.statements() as connection:
        while True:
            page = query(connection, before)
            seen += [row["uuid"] for row in page.rows]
            before = page.next_before
            if before is None:
                return seen


def test_a_merge_brings_the_messages_of_the_old_identifier(database: Database) -> None:
    old = _keep(database, ("MRN", "old"))
    merge = _keep(database, ("MRN", "new"), ("MRN", "old"), merges=[Merge("MRN", old="old", surviving="new")])
    new = _keep(database, ("MRN", "new"))
    with database.statements() as connection:
        rows = search.by_identifier(connection, "MRN", "new", limit=10, before=None).rows
    assert [(row["uuid"], row["direct"], row["merged_from"]) for row in rows] == [
        (new, True, None),
        (merge, True, "old"),
        (old, False, "old"),
    ]
    assert _found(database, "old") == [merge, old]


def test_merges_chain_and_a_circle_ends(database: Database) -> None:
    first = _keep(database, ("MRN", "a"))
    _keep(database, merges=[Merge("MRN", old="a", surviving="b")])
    _keep(database, merges=[Merge("MRN", old="b", surviving="c")])
    _keep(database, merges=[Merge("MRN", old="c", surviving="a")])
    assert _found(database, "c") == _found(database, "b") == _found(database, "a") == [first]


def test_a_control_id_longer_than_the_index_is_told_apart(database: Database) -> None:
    long = "x" * 5000
    uuid = _keep(database, message_control_id=long + "1")
    _keep(database, message_control_id=long + "2")
    with database.statements() as connection:
        page = search.by_control_id(connection, long + "1", limit=10, before=None)
    assert [row["uuid"] for row in page.rows] == [uuid]


def test_latest_can_show_only_what_waits(database: Database) -> None:
    waiting, done = _keep(database), _keep(database)
    with database.transaction() as connection:
        store.mark_processed(connection, done, by=None, at=new_message().at)
        page = search.latest(connection, limit=10, unprocessed=True)
    assert [row["uuid"] for row in page.rows] == [waiting]


def test_no_search_reads_a_table_from_end_to_end(database: Database) -> None:
    _keep(database, ("MRN", "1"))
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        for rows, values in (
            (search._by_identifier, {"identifier_type": "MRN", "identifier": "1"}),
            (search._by_control_id, {"control_id": "1"}),
        ):
            parameters = {**values, "limit": 10, "before": search.NEWEST, "most_bytes": 1, "least": 1}
            explain = text(f"EXPLAIN {search._query(rows, CONTENT).text}")
            plan = connection.execute(explain, parameters).scalars().all()
            assert not [line for line in plan if "Seq Scan on message" in line]
