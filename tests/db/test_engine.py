"""What every database session is told, and which failures are said to pass."""

import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api.db.engine import Database, engine_options
from dhos_connector_api.errors import StorageBusy, StorageUnavailable
from tests.rigs.outages import Away


def _impatient(database: Database) -> Database:
    options = engine_options(pool_size=2, statement_timeout=0.2, lock_timeout=0.1)
    return Database(create_engine(database.engine.url, **options))


def test_who_stands_still_within_a_transaction_is_cut_off(database: Database) -> None:
    with database.statements() as connection:
        shown = connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
    assert shown == "10s"


def test_a_statement_that_takes_too_long_says_nothing_of_the_next(database: Database) -> None:
    own = _impatient(database)
    with pytest.raises(StorageBusy), own.statements() as connection:
        connection.execute(text("SELECT pg_sleep(20)"))
    with pytest.raises(StorageBusy), own.pipeline() as cursor:
        cursor.execute("SELECT pg_sleep(20)")
    own.engine.dispose()


def test_a_lock_that_is_held_says_nothing_of_the_next(database: Database) -> None:
    own = _impatient(database)
    with database.transaction() as held, pytest.raises(StorageBusy), own.transaction() as connection:
        held.execute(text("LOCK TABLE message_key"))
        connection.execute(text("LOCK TABLE message_key"))
    own.engine.dispose()


def test_a_database_that_is_away_is_not_busy() -> None:
    with pytest.raises(StorageUnavailable) as caught, Away().database.statements():
        pass
    assert not isinstance(caught.value, StorageBusy)
