"""Outbox rows in a real PostgreSQL: selecting fairly, settling, and what people do with them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY
from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.outbox import search, store
from tests.builders.outbox import put


def test_rows_come_in_the_order_of_their_insertion_with_all_that_is_published(database: Database) -> None:
    with database.transaction() as connection:
        ids = put(connection, 3, correlation_id="request-7")
        rows = store.waiting(connection, rows=500)
    assert [row.envelope.id for row in rows] == ids
    assert rows[1].envelope.body.startswith(b'[2, "x')
    assert rows[1].envelope.routing_key == LEGACY_ROUTING_KEY
    assert rows[1].envelope.correlation_id == "request-7"
    assert rows[1].stream == ("EPR", LEGACY_ROUTING_KEY)


def test_a_backlog_of_one_sender_leaves_room_for_the_others(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, 1000, sender="BUSY")
        quiet = [put(connection, 2, sender=sender) for sender in ("A", "Z")]
        rows = store.waiting(connection, rows=500)
    seen = [row.envelope.id for row in rows]
    assert all(id_ in seen for ids in quiet for id_ in ids)
    assert 100 < len(seen) <= 500


def test_one_sender_alone_gets_the_whole_batch(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, 600)
        assert len(store.waiting(connection, rows=500)) == 500


def test_with_more_senders_than_rows_each_has_its_turn(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(7):
            put(connection, 1, sender=f"S{number}")
        after, seen = "", set()
        for _ in range(3):
            rows = store.waiting(connection, rows=3, after=after)
            assert len(rows) == 3
            seen |= {row.stream for row in rows}
            after = max(row.stream[0] for row in rows)
    assert len(seen) == 7


def test_a_sender_keeps_its_order_over_its_routing_keys(database: Database) -> None:
    ids = []
    with database.transaction() as connection:
        for number in range(60):
            key = EVENT_ROUTING_KEY if number % 10 == 0 else LEGACY_ROUTING_KEY
            ids += put(connection, 1, routing_key=key)
        put(connection, 60, sender="LAB")
        rows = store.waiting(connection, rows=40)
        mine = [row.envelope.id for row in rows if row.stream[0] == "EPR"]
        assert mine == ids[:20]
        rest = store.waiting(connection, rows=40, held=[("LAB", "")])
    assert [row.envelope.id for row in rest] == ids[:40]


def test_held_streams_are_left_out_and_only_they(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, 3)
        event = put(connection, 1, routing_key=EVENT_ROUTING_KEY)
        other = put(connection, 1, sender="")
        rows = store.waiting(connection, rows=500, held=[("EPR", LEGACY_ROUTING_KEY)])
        first = store.first_waiting(connection, ("EPR", EVENT_ROUTING_KEY))
        assert store.first_waiting(connection, ("nobody", EVENT_ROUTING_KEY)) is None
    assert {row.envelope.id for row in rows} == {*event, *other}
    assert first is not None
    assert first.envelope.id == event[0]


def test_settled_and_dead_rows_wait_no_longer_and_say_why(database: Database) -> None:
    with database.transaction() as connection:
        uuid = uuid4()
        ids = put(connection, 3, message_uuid=uuid)
        store.count_attempt(connection, ids, error="unroutable")
        store.settle(connection, ids[:1], at=now())
        store.mark_dead(connection, ids[1:2], at=now(), error="too large")
        assert [row.envelope.id for row in store.waiting(connection, rows=9)] == ids[2:]
        published, dead, waiting = search.of_message(connection, uuid)
        assert [row["id"] for row in search.unpublished(connection, dead=True, limit=9)] == [ids[1]]
        assert [row["id"] for row in search.unpublished(connection, dead=False, limit=9)] == [ids[2]]
    assert published["published_at"] and not published["last_error"]
    assert dead["dead_at"] and dead["last_error"] == "too large"
    assert waiting["last_error"] == "unroutable"
    assert [row["attempts"] for row in (published, dead, waiting)] == [2, 2, 1]


def test_settling_looks_its_rows_up_whatever_the_backlog(database: Database) -> None:
    """Stale statistics once made it walk through every waiting row."""
    with database.transaction() as connection:
        ids = put(connection, 5000)
        seen = text("SELECT pg_stat_get_xact_tuples_fetched('outbox_waiting'::regclass)")
        before = connection.execute(seen).scalar_one()
        store.settle(connection, ids[2000:2500], at=now())
        assert connection.execute(seen).scalar_one() == before


def test_the_list_goes_on_where_a_page_ended(database: Database) -> None:
    with database.transaction() as connection:
        ids = put(connection, 5)
        page = search.unpublished(connection, dead=False, limit=3)
        rest = search.unpublished(connection, dead=False, limit=3, after=page[-1]["position"])
    assert [row["id"] for row in (*page, *rest)] == ids


@pytest.mark.parametrize("by_name", [True, False])
def test_dead_rows_can_be_tried_again(database: Database, by_name: bool) -> None:
    with database.transaction() as connection:
        ids = put(connection, 3)
        store.mark_dead(connection, ids[:2], at=now(), error="too large")
        assert store.retry(connection, ids if by_name else None) == 2
        assert [row.envelope.id for row in store.waiting(connection, rows=9)] == ids


def test_a_message_is_published_again_under_the_same_ids(database: Database) -> None:
    with database.transaction() as connection:
        uuid = uuid4()
        ids, others = put(connection, 2, message_uuid=uuid), put(connection, 1)
        store.settle(connection, ids + others, at=now())
        assert store.republish(connection, uuid) == 2
        assert [row.envelope.id for row in store.waiting(connection, rows=9)] == ids
        assert store.republish(connection, uuid4()) == 0


def test_one_envelope_waits_again_whatever_became_of_it(database: Database) -> None:
    with database.transaction() as connection:
        ids = put(connection, 3)
        store.settle(connection, ids[:1], at=now())
        store.mark_dead(connection, ids[1:2], at=now(), error="too large")
        assert all(store.wait_again(connection, id_) for id_ in ids[:2])
        assert [row.envelope.id for row in store.waiting(connection, rows=9)] == ids
        assert not store.wait_again(connection, uuid4())


def test_an_envelope_is_withdrawn_unless_it_was_published(database: Database) -> None:
    with database.transaction() as connection:
        published, dead, waiting, other = put(connection, 4)
        store.settle(connection, [published], at=now())
        store.mark_dead(connection, [dead], at=now(), error="too large")
        results = [store.withdraw(connection, id_) for id_ in (published, dead, waiting, waiting)]
        assert results == [False, True, True, False]
        left = connection.execute(text("SELECT id FROM outbox ORDER BY position")).scalars().all()
    assert left == [published, other]


def test_depth_and_age_are_shown_by_routing_key(database: Database) -> None:
    with database.transaction() as connection:
        ids = put(connection, 4)
        put(connection, 2, routing_key=EVENT_ROUTING_KEY)
        store.settle(connection, ids[:1], at=now())
        store.mark_dead(connection, ids[1:2], at=now(), error="too large")
        depths = {depth.routing_key: depth for depth in search.depth_and_age(connection)}
    assert (depths[LEGACY_ROUTING_KEY].waiting, depths[LEGACY_ROUTING_KEY].dead) == (2, 1)
    assert (depths[EVENT_ROUTING_KEY].waiting, depths[EVENT_ROUTING_KEY].dead) == (2, 0)
    oldest = depths[EVENT_ROUTING_KEY].oldest
    assert oldest is not None
    assert now() - oldest < timedelta(minutes=1)


def test_only_published_rows_are_pruned_the_oldest_first_and_not_too_many(database: Database) -> None:
    with database.transaction() as connection:
        ids = put(connection, 6)
        for days, id_ in zip((9, 8, 7, 1), ids[:4], strict=True):
            store.settle(connection, [id_], at=now() - timedelta(days=days))
        store.mark_dead(connection, ids[4:5], at=now() - timedelta(days=30), error="too large")
        before = now() - timedelta(days=5)
        assert store.prune(connection, published_before=before, limit=2) == 2
        assert store.prune(connection, published_before=before, limit=2) == 1
        assert store.prune(connection, published_before=before, limit=2) == 0
        left = connection.execute(text("SELECT id FROM outbox ORDER BY position")).scalars().all()
    assert left == ids[3:]
