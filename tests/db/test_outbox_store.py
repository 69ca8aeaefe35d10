"""Outbox rows in a real PostgreSQL: settling them, and what people do with them."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY, LEGACY_ROUTING_KEY
from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.outbox import search, statements, store
from tests.builders.outbox import put
from tests.rigs.looked_at import looked_at


def _waiting(connection: Connection) -> list[UUID]:
    """The next rows of the one sender there is."""
    taken = statements.take(connection, ["EPR"], rows=9, most_bytes=1_000_000)
    return [row.envelope.id for row in taken.rows]


def test_settled_and_dead_rows_wait_no_longer_and_say_why(database: Database) -> None:
    with database.transaction() as connection:
        uuid = uuid4()
        ids = put(connection, 3, message_uuid=uuid)
        store.count_attempt(connection, ids, error="unroutable")
        store.settle(connection, ids[:1], at=now())
        store.mark_dead(connection, ids[1:2], at=now(), error="too large")
        assert _waiting(connection) == ids[2:]
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


def test_what_was_changed_since_it_was_selected_is_not_settled(database: Database) -> None:
    """A replay, or another relay that took over, comes between publishing and settling."""
    with database.statements() as connection:
        uuid = uuid4()
        ids = put(connection, 2)
        replayed = put(connection, 1, message_uuid=uuid)
        writers = {row.mark[1] for row in statements.take(connection, ["EPR"], rows=9, most_bytes=9999).rows}
        store.republish(connection, uuid)
        store.settle(connection, ids + replayed, at=now(), writers=writers)
        assert _waiting(connection) == replayed
        store.mark_dead(connection, replayed, at=now(), error="too large", writers=writers)
        store.count_attempt(connection, replayed, error="refused", writers=writers)
        (row,) = search.unpublished(connection, dead=False, limit=9)
        store.settle(connection, ids + replayed, at=now() + timedelta(hours=1), writers=writers)
        assert search.unpublished(connection, dead=False, limit=9) == [row]
    assert (row["id"], row["attempts"]) == (replayed[0], 0)


def test_a_session_proves_that_it_can_settle_by_writing_a_row_as_it_is(database: Database) -> None:
    with database.statements() as connection:
        (id_,) = put(connection)
        (row,) = statements.take(connection, ["EPR"], rows=1, most_bytes=9).rows
        (before,) = search.unpublished(connection, dead=False, limit=9)
        writer = store.prove(connection, id_, writer=row.mark[1])
        assert writer is not None and writer != row.mark[1]
        assert search.unpublished(connection, dead=False, limit=9) == [before]
        assert store.prove(connection, id_, writer=row.mark[1]) is None, "somebody has changed it"
        store.settle(connection, [id_], at=now(), writers=[writer])
        assert _waiting(connection) == []


def test_the_list_is_in_order_over_routing_keys_and_looks_at_one_page_of_a_backlog(
    database: Database,
) -> None:
    with database.transaction() as connection:
        ids = []
        for number in range(6):
            ids += put(connection, 1, routing_key=EVENT_ROUTING_KEY if number % 2 else LEGACY_ROUTING_KEY)
        put(connection, 3000)
        page = search.unpublished(connection, dead=False, limit=4)
        rest = search.unpublished(connection, dead=False, limit=2, after=page[-1]["position"])
        assert [row["id"] for row in (*page, *rest)] == ids
        before = looked_at(connection)
        search.unpublished(connection, dead=False, limit=4)
        assert looked_at(connection) - before < 100


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
        assert _waiting(connection) == ids


def test_a_message_is_published_again_under_the_same_ids(database: Database) -> None:
    with database.transaction() as connection:
        uuid = uuid4()
        ids, others = put(connection, 2, message_uuid=uuid), put(connection, 1)
        store.settle(connection, ids + others, at=now())
        assert store.republish(connection, uuid) == 2
        assert _waiting(connection) == ids
        assert store.republish(connection, uuid4()) == 0


def test_one_envelope_waits_again_whatever_became_of_it(database: Database) -> None:
    with database.transaction() as connection:
        ids = put(connection, 3)
        store.settle(connection, ids[:1], at=now())
        store.mark_dead(connection, ids[1:2], at=now(), error="too large")
        assert all(store.wait_again(connection, id_) for id_ in ids[:2])
        assert _waiting(connection) == ids
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
