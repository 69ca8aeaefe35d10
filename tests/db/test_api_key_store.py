"""API keys at rest: valid until they are not, at once."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.access import store as keys
from dhos_connector_api.access.store import NOTED_EVERY, KnownKey
from dhos_connector_api.auth.api_keys import KEY_BYTES, MadeKey, make
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict, NotFound
from tests.builders.rows import later

AN_HOUR = timedelta(hours=1)


def a_key(database: Database, at: datetime) -> tuple[UUID, MadeKey]:
    id_, made = uuid4(), make(secrets.token_bytes(KEY_BYTES))
    with database.statements() as connection:
        keys.add(connection, id_, made, source="his", at=at, by="test")
    return id_, made


def found(database: Database, made: MadeKey, at: datetime) -> KnownKey | None:
    with database.statements() as connection:
        return keys.find(connection, made.hash, at=at)


def test_a_key_is_found_by_its_hash_until_it_is_revoked(database: Database) -> None:
    at = later()
    id_, made = a_key(database, at)
    assert found(database, made, at) == KnownKey(id_, "his")
    assert found(database, make(bytes(KEY_BYTES)), at) is None
    with database.statements() as connection:
        first = keys.revoke(connection, id_, at=at, by="one")
        assert keys.revoke(connection, id_, at=later(), by="two") == first
    assert found(database, made, at) is None


def test_nothing_at_rest_is_the_key(database: Database) -> None:
    _, made = a_key(database, later())
    with database.statements() as connection:
        row = connection.execute(text("SELECT api_key::text FROM api_key")).scalar_one()
    assert made.text not in row
    assert made.text.encode().hex() not in row


def test_rotation_takes_both_keys_until_the_overlap_is_over(database: Database) -> None:
    at = later()
    old_id, old = a_key(database, at)
    new_id, new = uuid4(), make(secrets.token_bytes(KEY_BYTES))
    with database.transaction() as connection:
        keys.rotate(connection, old_id, new_id, new, overlap=AN_HOUR, at=at, by="test")
    assert found(database, old, at + AN_HOUR - timedelta(seconds=1)) == KnownKey(old_id, "his")
    assert found(database, old, at + AN_HOUR) is None
    assert found(database, new, at + 9 * AN_HOUR) == KnownKey(new_id, "his")
    with database.statements() as connection:
        shown = {row["id"]: row for row in keys.listed(connection, "HIS")}
    assert shown[old_id]["replaced_by"] == new_id
    for again in (old_id, uuid4()):
        with pytest.raises((Conflict, NotFound)), database.transaction() as connection:
            keys.rotate(connection, again, uuid4(), make(bytes(32)), overlap=AN_HOUR, at=at, by="test")


def test_the_last_use_is_noted_once_in_a_while(database: Database) -> None:
    at = later()
    id_, made = a_key(database, at)

    def used() -> datetime | None:
        with database.statements() as connection:
            moment: datetime | None = keys.listed(connection)[0]["last_used_at"]
        return moment

    assert used() is None
    for moment, noted in (
        (at, at),
        (at + NOTED_EVERY, at),
        (at + NOTED_EVERY + timedelta(seconds=1), at + NOTED_EVERY + timedelta(seconds=1)),
    ):
        assert found(database, made, moment) == KnownKey(id_, "his")
        assert used() == noted
