"""Selecting outbox rows in a real PostgreSQL: fairly, in order, by bytes, and whatever waits."""

from typing import Any

import pytest
from sqlalchemy import Connection, text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY
from dhos_connector_api.db.engine import Database
from dhos_connector_api.outbox import statements
from dhos_connector_api.outbox.rows import START, Taken
from dhos_connector_api.outbox.statements import LARGE
from tests.builders.outbox import put
from tests.rigs.looked_at import looked_at

MEGABYTES_16 = 16_000_000


def _take(connection: Connection, *senders: str, rows: int = 500, **more: Any) -> Taken:
    values = {"most_bytes": MEGABYTES_16, **more}
    return statements.take(connection, senders or ["EPR"], rows=rows, **values)


def _ids(taken: Taken) -> list[object]:
    return [row.envelope.id for row in taken.rows]


def test_rows_come_in_the_order_of_their_insertion_with_all_that_is_published(database: Database) -> None:
    with database.transaction() as connection:
        ids = put(connection, 3, correlation_id="request-7")
        taken = _take(connection)
    assert _ids(taken) == ids
    assert not taken.cut
    assert taken.rows[1].envelope.body.startswith(b'[2, "x')
    assert taken.rows[1].envelope.routing_key == LEGACY_ROUTING_KEY
    assert taken.rows[1].envelope.correlation_id == "request-7"
    assert taken.rows[1].stream == ("EPR", LEGACY_ROUTING_KEY)


def test_a_backlog_of_one_sender_leaves_room_for_the_others(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, 1000, sender="BUSY")
        quiet = [put(connection, 2, sender=sender) for sender in ("A", "Z")]
        taken = _take(connection, "BUSY", "A", "Z")
    assert all(id_ in _ids(taken) for ids in quiet for id_ in ids)
    assert 100 < len(taken.rows) <= 500
    assert taken.more


def test_one_sender_alone_gets_the_whole_batch(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, 600)
        assert len(_take(connection).rows) == 500


def test_a_sender_keeps_its_order_over_its_routing_keys(database: Database) -> None:
    ids = []
    with database.transaction() as connection:
        for number in range(60):
            key = EVENT_ROUTING_KEY if number % 10 == 0 else LEGACY_ROUTING_KEY
            ids += put(connection, 1, routing_key=key)
        put(connection, 60, sender="LAB")
        taken = _take(connection, "EPR", "LAB", rows=40)
        mine = [row.envelope.id for row in taken.rows if row.stream[0] == "EPR"]
        assert mine == ids[:20]
        assert _ids(_take(connection, rows=40)) == ids[:40]


def test_what_is_held_is_left_out_and_what_a_queue_refuses_holds_up_what_its_sender_wrote_after_it(
    database: Database,
) -> None:
    with database.transaction() as connection:
        before = put(connection, 1)
        put(connection, 1, routing_key=EVENT_ROUTING_KEY)
        after = put(connection, 1)
        other = put(connection, 1, sender="LAB")
        held = _take(connection, "EPR", "LAB", held=[EVENT_ROUTING_KEY])
        barred = _take(connection, "EPR", "LAB", barriers=[EVENT_ROUTING_KEY])
    assert _ids(held) == before + after + other
    assert _ids(barred) == before + other


def test_a_batch_has_so_many_bytes_and_the_first_row_goes_whatever_its_size(database: Database) -> None:
    with database.transaction() as connection:
        ids = put(connection, 10, size=10_000)
        taken = _take(connection, most_bytes=35_000)
        assert _ids(taken) == ids[:3]
        assert taken.cut and taken.more
        assert _ids(_take(connection, most_bytes=100)) == ids[:1], "whatever its size"
        small = put(connection, 1, sender="LAB")
        assert _ids(_take(connection, "LAB", "EPR", most_bytes=5_000)) == small


def test_a_large_body_goes_alone_and_holds_up_its_sender_alone(database: Database) -> None:
    with database.transaction() as connection:
        small = put(connection, 1)
        large = put(connection, 1, size=LARGE)
        behind = put(connection, 1)
        lab = put(connection, 2, sender="LAB")
        taken = _take(connection, "EPR", "LAB", large_first=True)
        assert _ids(taken) == small + lab, "the large one is not the next of its sender"
        assert (taken.cut, taken.more) == (False, True)
        connection.execute(text("UPDATE outbox SET published_at = now() WHERE id = :id"), {"id": small[0]})
        assert _ids(_take(connection, "EPR", "LAB")) == lab
        taken = _take(connection, "LAB", "EPR", large_first=True)
        assert (_ids(taken), taken.cut) == (large, True)
        assert _ids(_take(connection)) == large, "where there is nothing else"
        connection.execute(text("UPDATE outbox SET published_at = now() WHERE id = :id"), {"id": large[0]})
        assert _ids(_take(connection)) == behind


def test_only_bodies_that_are_taken_are_read(database: Database) -> None:
    """A body of a megabyte, stored as it is, lies in 500 pieces outside of its row."""
    with database.transaction() as connection:
        connection.execute(text("ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTERNAL"))
        try:
            put(connection, 20, size=1_000_000)
            # Pieces of bodies that were fetched by the index of the table they are kept in.
            pieces = text(
                "SELECT pg_stat_get_xact_tuples_fetched(indexrelid) FROM pg_index"
                " WHERE indrelid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'outbox'::regclass)"
            )
            before = connection.execute(pieces).scalar_one()
            assert len(_take(connection).rows) == 1
            assert connection.execute(pieces).scalar_one() - before < 1000
        finally:
            connection.execute(text("ALTER TABLE outbox ALTER COLUMN body SET STORAGE EXTENDED"))


def test_the_survey_tells_the_oldest_of_each_key_and_who_has_new_rows(database: Database) -> None:
    with database.transaction() as connection:
        assert statements.survey(connection, seen=0, rows=9).oldest == {}
        put(connection, 2, sender="OLD")
        first = statements.survey(connection, seen=0, rows=9)
        assert (first.oldest, first.fresh, first.left) == ({LEGACY_ROUTING_KEY: "OLD"}, ["OLD"], False)
        put(connection, 1, sender="NEW")
        put(connection, 3, sender="EVENTS", routing_key=EVENT_ROUTING_KEY)
        found = statements.survey(connection, seen=first.newest, rows=9)
        held = statements.survey(connection, seen=first.newest, rows=9, held=[EVENT_ROUTING_KEY])
        quiet = statements.survey(connection, seen=found.newest, rows=9, held=[LEGACY_ROUTING_KEY])
    assert found.oldest == held.oldest == {LEGACY_ROUTING_KEY: "OLD", EVENT_ROUTING_KEY: "EVENTS"}
    assert (found.fresh, found.left) == (["EVENTS", "NEW"], True)
    assert held.fresh == ["NEW"]
    assert (quiet.fresh, quiet.left) == ([], True)


def test_of_many_new_rows_the_newest_are_told(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(9):
            put(connection, 1, sender=f"S{number}")
        found = statements.survey(connection, seen=0, rows=3)
        assert found.fresh == ["S8", "S7", "S6", "S0"], "and the oldest"
        assert statements.survey(connection, seen=found.newest, rows=3).left


def test_a_walk_passes_by_every_stream_in_bounded_steps(database: Database) -> None:
    with database.transaction() as connection:
        keys = (LEGACY_ROUTING_KEY, EVENT_ROUTING_KEY)
        streams = [(f"S{number}", key) for number in range(5) for key in keys]
        for sender, key in streams:
            put(connection, 20, sender=sender, routing_key=key)
        after, passed = START, []
        for _ in range(4):
            walk = statements.walk(connection, after, streams=3)
            passed += walk
            after = walk[-1]
    assert sorted(passed) == sorted(streams)
    assert len(walk) == 1, "nothing comes after it"


def test_the_least_tried_row_of_a_key_waits_behind_no_other_that_is_refused(database: Database) -> None:
    with database.transaction() as connection:
        tried = put(connection, 2, sender="A")
        put(connection, 1, sender="B", routing_key=EVENT_ROUTING_KEY)
        put(connection, 2, sender="B")
        connection.execute(text("UPDATE outbox SET attempts = 3 WHERE id = :id"), {"id": tried[0]})
        assert statements.least_tried(connection, LEGACY_ROUTING_KEY) == ("B", 0)
        alone = statements.least_tried(connection, LEGACY_ROUTING_KEY, barriers=[EVENT_ROUTING_KEY])
        assert alone == ("A", 3)
        assert statements.least_tried(connection, "nobody's") is None


def test_the_next_row_of_a_stream(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, 1)
        ids = put(connection, 2, routing_key=EVENT_ROUTING_KEY)
        (row,) = statements.first(connection, ("EPR", EVENT_ROUTING_KEY))
        assert row.envelope.id == ids[0]
        assert statements.first(connection, ("nobody", EVENT_ROUTING_KEY)) == []


@pytest.mark.parametrize("analyzed_before", [False, True])
def test_whatever_the_statistics_say_each_statement_looks_at_few_rows(
    database: Database, analyzed_before: bool
) -> None:
    """Statistics of a queue are always old ones: here, of a time when all was published, or none at all."""
    with database.statements() as connection:
        if analyzed_before:
            put(connection, 2000, sender="DONE")
            connection.execute(text("UPDATE outbox SET published_at = now()"))
            connection.execute(text("VACUUM ANALYZE outbox"))
    with database.transaction() as connection:
        _as_the_relay(connection)
        for number in range(300):
            put(connection, 20, sender=f"S{number}", routing_key=EVENT_ROUTING_KEY if number % 2 else "other")
        for _ in range(8):  # from the sixth time on with the plan that is kept
            before = looked_at(connection)
            found = statements.survey(connection, seen=10**9, rows=500)
            walk = statements.walk(connection, START, streams=50)
            statements.take(connection, [each[0] for each in walk], rows=100, most_bytes=MEGABYTES_16)
            statements.first(connection, walk[7])
            statements.least_tried(connection, "other", barriers=[EVENT_ROUTING_KEY])
            assert looked_at(connection) - before < 1500
    assert len(found.oldest) == 2


def _as_the_relay(connection: Connection) -> None:
    for each in ("enable_seqscan", "enable_bitmapscan"):
        connection.execute(text(f"SET LOCAL {each} = off"))
