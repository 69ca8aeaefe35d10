"""Applying envelopes on a real PostgreSQL: once, with their effect; what fails is tried again and parked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.inbox import parking, periodic, store
from dhos_connector_api.inbox.apply import Reader
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.organizations import on_event
from tests.builders.feed import Happening
from tests.builders.rows import settings

KEY = "dhos.connector_event"


class Effects:
    """A consumer that fails as it is told; `applied` are the ids of what it has done."""

    def __init__(self) -> None:
        self.poison: set[str] = set()
        self.calls: list[int] = []
        self.is_away = False

    def __call__(self, connection: Connection, letters: Sequence[Letter], _at: datetime) -> None:
        self.calls.append(len(letters))
        if self.is_away:
            raise StorageUnavailable("the database did not answer")
        for each in letters:
            connection.execute(
                text("INSERT INTO px_user (id, created_at, updated_at, username, password_hash)"
                " VALUES (:id, now(), now(), :name, '')"), {"id": each.id, "name": str(each.id)},
            )  # fmt: skip
            if each.message_id in self.poison:
                raise LookupError("CANARY")


class Clock:
    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at


def _letters(count: int) -> list[Letter]:
    return [Happening(f"M{number}").letter() for number in range(count)]


def _count(database: Database, table: str) -> int:
    with database.statements() as connection:
        found: int = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
        return found


def _kept(database: Database) -> list[tuple[int, bool]]:
    """Of each envelope that is kept: how often it was tried, and whether it is parked."""
    with database.statements() as connection:
        return [(row["tries"], row["next_at"] is None) for row in parking.listed(connection, 100)]


def test_a_batch_is_applied_once_in_one_transaction_however_often_it_comes(database: Database) -> None:
    effects, letters = Effects(), _letters(5)
    reader = Reader(database, "test", effects, now)
    reader.take([*letters, letters[0]])
    reader.take(letters)
    assert effects.calls == [5]
    assert _count(database, "px_user") == _count(database, "inbox") == 5


def test_what_came_under_a_key_it_has_no_use_for_is_passed_over(database: Database) -> None:
    effects, letters = Effects(), _letters(3)
    other = Letter(str(uuid4()), "dhos.px_event", None, b"no JSON")
    reader = Reader(database, "test", effects, now, frozenset({KEY}))
    reader.take([letters[0], other, *letters[1:]])
    reader.take([other])
    assert effects.calls == [3]
    assert (_count(database, "inbox"), _count(database, "parked")) == (3, 0)


def test_one_that_fails_is_kept_alone_and_the_others_are_applied(database: Database) -> None:
    effects, letters = Effects(), _letters(5)
    effects.poison = {str(letters[2].message_id)}
    Reader(database, "test", effects, now).take(letters)
    assert _count(database, "px_user") == _count(database, "inbox") == 4
    assert _kept(database) == [(1, False)]


@pytest.mark.parametrize("told", ["a\0b", "a\ud800b"])
def test_one_whose_correlation_id_cannot_be_stored_holds_up_nobody(database: Database, told: str) -> None:
    effects, good = Effects(), _letters(1)
    Reader(database, "test", effects, now).take([Letter(str(uuid4()), KEY, told, b"no JSON"), *good])
    assert (_count(database, "px_user"), _kept(database)) == (1, [(1, True)])


def test_one_with_a_number_no_index_takes_is_at_fault_and_not_the_database(database: Database) -> None:
    """54000 is an "operational error", as is a database that is away: the feed would have waited for ever."""
    number = "".join(uuid4().hex for _ in range(400))  # nothing to compress
    body = Happening("SHORT", name=("A", "B")).body().replace(b"SHORT", number.encode())
    long = Letter(str(uuid4()), KEY, "request-1", body)
    Reader(database, "organizations", on_event.apply, now).take([long, Happening("M1").letter()])
    assert (_count(database, "inbox"), _kept(database)) == (1, [(1, False)])


def test_it_is_tried_five_times_with_growing_pauses_and_parked(database: Database) -> None:
    effects, clock, [letter] = Effects(), Clock(), _letters(1)
    effects.poison = {str(letter.message_id)}
    reader = Reader(database, "test", effects, clock)
    reader.take([letter])
    for pause in parking.PAUSES:
        clock.at += timedelta(seconds=pause - 0.1)
        assert not reader.try_again()
        clock.at += timedelta(seconds=0.2)
        assert reader.try_again()
    clock.at += timedelta(days=1)
    assert not reader.try_again()
    assert _kept(database) == [(5, True)]
    with database.statements() as connection:
        [row] = parking.listed(connection, 1)
        assert row["error"].startswith("LookupError at ")
        assert parking.retry(connection, [letter.id], clock()) == [letter.id]
    effects.poison = set()
    assert reader.try_again()
    assert _kept(database) == []
    assert _count(database, "px_user") == _count(database, "inbox") == 1


def test_what_is_no_envelope_is_parked_at_once_and_by_its_body_once(database: Database) -> None:
    effects = Effects()
    reader = Reader(database, "test", effects, now)
    body = Happening("M1").letter().body
    bad = [
        Letter(str(uuid4()), KEY, None, b"\xff"),
        Letter(str(uuid4()), KEY, None, b"[]"),
        Letter(str(uuid4()), KEY, None, b"[" * 100_000),
        Letter(str(uuid4()), KEY, None, b'{"dhos_connector_message_uuid": "x", "actions": []}'),
        Letter(str(uuid4()), KEY, None, b'{"dhos_connector_message_uuid": "x", "actions": [1]}'),
        Letter(None, KEY, None, body),
        Letter("7", KEY, None, body),
    ]
    reader.take([*bad, bad[5]])
    assert _kept(database) == [(1, True)] * 6
    assert effects.calls == []


def test_a_database_that_is_away_is_nobodys_fault(database: Database) -> None:
    effects, letters = Effects(), _letters(3)
    reader = Reader(database, "test", effects, now)
    effects.is_away = True
    with pytest.raises(StorageUnavailable):
        reader.take(letters)
    assert _kept(database) == []
    effects.is_away = False
    reader.take(letters)
    assert _count(database, "inbox") == 3


def test_parked_envelopes_go_with_the_bodies_of_messages(database: Database) -> None:
    Reader(database, "test", Effects(), now).take([Letter(None, KEY, None, b"x")])
    [_, prune] = periodic.jobs(settings(message_body_retention="1d"))
    with database.transaction() as connection:
        prune.step(connection, now() + timedelta(hours=23))
        assert len(parking.listed(connection, 1)) == 1
        prune.step(connection, now() + timedelta(hours=25))
        assert parking.listed(connection, 1) == []
        assert store.counts(connection) == []
