"""The message store: one statement keeps all or nothing, and tells new from duplicate."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.messages import store
from dhos_connector_api.messages.gauges import gauges
from tests.builders.rows import WINDOW, effects, later, new_message, settings


def _count(database: Database, table: str) -> int:
    with database.statements() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_insert_keeps_everything_that_belongs_to_a_message(database: Database) -> None:
    message = new_message(received=b"\xff\x00raw", content=None)
    with database.transaction() as connection:
        assert store.insert(connection, message, effects(message), window=WINDOW)
    with database.statements() as connection:
        row = store.get(connection, message.uuid)
    assert row is not None
    assert (bytes(row["received"]), row["content"], bytes(row["ack"])) == (b"\xff\x00raw", None, b"MSA|AA")
    assert (row["created"], row["sent_at"], row["state"]) == (message.at, message.at, "accepted")
    assert _count(database, "message_identifier") == _count(database, "outbox") == 1


def test_a_taken_key_writes_nothing_at_all(database: Database) -> None:
    first = new_message()
    taken = effects(first)
    second = new_message(message_control_id=first.message_control_id)
    with database.transaction() as connection:
        assert store.insert(connection, first, taken, window=WINDOW)
        assert not store.insert(connection, second, effects(second, key=taken.key), window=WINDOW)
    tables = ("message", "message_body", "message_identifier", "outbox", "message_key")
    assert [_count(database, table) for table in tables] == [1] * 5


def test_a_message_without_a_key_is_always_kept(database: Database) -> None:
    with database.transaction() as connection:
        for _ in range(2):
            message = new_message(message_control_id="same", state="refused")
            assert store.insert(connection, message, store.Effects(), window=WINDOW)
    assert _count(database, "message") == 2
    assert _count(database, "message_key") == 0


def test_a_key_is_taken_over_and_counted_after_its_window(database: Database) -> None:
    first = new_message()
    key = effects(first).key
    late = new_message(at=first.at + WINDOW + timedelta(seconds=1))
    with database.transaction() as connection:
        assert store.insert(connection, first, effects(first), window=WINDOW)
        assert store.insert(connection, late, effects(late, key=key), window=WINDOW)
        holder = store.key_holder(connection, key or b"", at=late.at, window=WINDOW)
        reuses = connection.execute(text("SELECT reuses FROM message_key")).scalar_one()
    assert holder is not None
    assert holder.message_uuid == late.uuid
    assert reuses == 1


def test_what_is_held_under_another_key_with_the_same_content_writes_nothing(database: Database) -> None:
    first, same, other = new_message(), new_message(), new_message()
    late = new_message(at=first.at + WINDOW + timedelta(seconds=1))
    with database.transaction() as connection:
        assert store.insert(connection, first, effects(first, key=b"k"), window=WINDOW)
        for other_keys in ((b"k", b"x"), (b"x", b"k")):
            brought = effects(same, key=b"s", other_keys=other_keys)
            assert not store.insert(connection, same, brought, window=WINDOW)
        assert store.get(connection, same.uuid) is None
        brought = effects(other, key=b"o", content_hash=b"else", other_keys=(b"k", b"x"))
        assert store.insert(connection, other, brought, window=WINDOW)
        brought = effects(late, key=b"l", other_keys=(b"k", b"x"))
        assert store.insert(connection, late, brought, window=WINDOW)
        holders = store.key_holders(connection, [b"l", b"none", b"o"], at=other.at, window=WINDOW)
    assert [each.message_uuid for each in holders] == [late.uuid, other.uuid]


def test_an_expired_key_has_no_holder(database: Database) -> None:
    message = new_message()
    claimed = effects(message)
    after = message.at + WINDOW + timedelta(seconds=1)
    with database.transaction() as connection:
        store.insert(connection, message, claimed, window=WINDOW)
        assert store.key_holder(connection, claimed.key or b"", at=after, window=WINDOW) is None


def test_one_of_many_concurrent_inserts_under_one_key_wins(database: Database) -> None:
    def attempt(_: int) -> bool:
        message = new_message()
        with database.transaction() as connection:
            return store.insert(connection, message, effects(message, key=b"one"), window=WINDOW)

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(attempt, range(64)))
    assert sum(won) == 1
    assert _count(database, "outbox") == 1


def test_repeats_are_counted_on_the_message_that_holds_the_key(database: Database) -> None:
    message = new_message()
    claimed = effects(message)
    at = later()
    with database.transaction() as connection:
        store.insert(connection, message, claimed, window=WINDOW)
        store.count_repeat(connection, claimed.key or b"", at=at)
        row = store.get(connection, message.uuid)
    assert row is not None
    assert (row["repeats"], row["repeated_at"]) == (1, at)


def test_marking_processed_is_idempotent_and_the_first_time_stays(database: Database) -> None:
    message, first, second = new_message(), later(), later()
    with database.transaction() as connection:
        store.insert(connection, message, effects(message), window=WINDOW)
        assert store.mark_processed(connection, message.uuid, by="journeys", at=first)
        assert store.mark_processed(connection, message.uuid, by="other", at=second)
        row = store.get(connection, message.uuid)
        assert not store.mark_processed(connection, uuid4(), by=None, at=second)
    assert row is not None
    assert (row["is_processed"], row["processed_at"], row["modified_by"]) == (True, first, "journeys")


def test_late_counts_accepted_messages_nobody_processed(database: Database) -> None:
    waiting, done, refused = new_message(), new_message(), new_message(state="refused")
    with database.transaction() as connection:
        for message in (waiting, done):
            store.insert(connection, message, effects(message), window=WINDOW)
        store.insert(connection, refused, store.Effects(), window=WINDOW)
        store.mark_processed(connection, done.uuid, by=None, at=later())
        assert store.late(connection, before=later()) == 1
        assert store.late(connection, before=waiting.at) == 0


@pytest.mark.parametrize(("counts", "late"), [("full", 1), ("all", 3), ("none", 0)])
def test_late_are_those_that_somebody_is_expected_to_process(
    database: Database, counts: str, late: int
) -> None:
    messages = [new_message(event_code=code) for code in ("ADT_A01", "ADT_A29", None)]
    with database.transaction() as connection:
        for message in messages:
            store.insert(connection, message, effects(message), window=WINDOW)
        [gauge] = gauges(settings(UNPROCESSED_COUNTS=counts, UNPROCESSED_AFTER="0"), connection, later())
    assert gauge.samples[0].value == late


def test_accept_turns_a_refused_message_into_an_accepted_one(database: Database) -> None:
    message = new_message(state="refused", ack_status="AE")
    at = later()
    with database.transaction() as connection:
        store.insert(connection, message, store.Effects(), window=WINDOW)
        brought = effects(message)
        for expected in (True, False):
            accepted = store.accept(
                connection,
                message.uuid,
                brought,
                at=at,
                received_at=message.at,
                by="ops",
                correlation_id="r",
                window=WINDOW,
            )
            assert accepted is expected
        row = store.get(connection, message.uuid)
    assert row is not None
    assert (row["state"], row["ack_status"], row["replayed_at"]) == ("accepted", "AE", at)
    assert _count(database, "outbox") == 1


def test_accept_changes_nothing_when_a_later_message_took_the_key(database: Database) -> None:
    refused, corrected = new_message(state="refused"), new_message()
    with database.transaction() as connection:
        store.insert(connection, refused, store.Effects(), window=WINDOW)
        store.insert(connection, corrected, effects(corrected, key=b"k"), window=WINDOW)
        brought = effects(refused, key=b"k")
        accepted = store.accept(
            connection,
            refused.uuid,
            brought,
            at=later(),
            received_at=refused.at,
            by="ops",
            correlation_id="r",
            window=WINDOW,
        )
        row = store.get(connection, refused.uuid)
    assert not accepted
    assert row is not None
    assert row["state"] == "refused"
