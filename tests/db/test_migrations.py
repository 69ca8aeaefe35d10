"""The migrations: up, down and up again, and equal to the models."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from dhos_connector_api.app import rooms
from dhos_connector_api.app.storage import create_flask
from dhos_connector_api.db import migrate
from dhos_connector_api.db.engine import DatabaseAddress
from dhos_connector_api.db.metadata import db
from dhos_connector_api.db.session import open_patiently
from tests.builders.rows import settings

rooms.import_all("models")


def test_migrations_go_up_down_and_up_again(empty_database: DatabaseAddress) -> None:
    engine = create_engine(empty_database.url())
    migrate.upgrade(engine)
    first = set(inspect(engine).get_table_names())
    migrate.downgrade(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate.upgrade(engine)
    assert set(inspect(engine).get_table_names()) == first
    with engine.connect() as connection:
        assert migrate.is_at_head(connection)
    engine.dispose()


def test_a_migration_is_waited_for_however_long_it_takes(empty_database: DatabaseAddress) -> None:
    """Longer than any other statement, and so is another that migrates at the same moment."""
    engine = create_engine(empty_database.url())
    open_patiently(engine, patience=0.5)
    other = create_engine(empty_database.url())
    with ThreadPoolExecutor(1) as threads:
        with other.connect() as holder:
            holder.execute(text("SELECT pg_advisory_lock(7246001)"))
            migrating = threads.submit(migrate.upgrade, engine)
            with pytest.raises(TimeoutError):
                migrating.result(1.0)
        other.dispose()
        migrating.result(60)
    with engine.connect() as connection:
        assert migrate.is_at_head(connection)
    engine.dispose()


def test_an_unmigrated_database_is_not_at_head(empty_database: DatabaseAddress) -> None:
    engine = create_engine(empty_database.url())
    migrate.upgrade(engine)
    migrate.downgrade(engine, "0001")
    with engine.connect() as connection:
        assert not migrate.is_at_head(connection)
    migrate.upgrade(engine)
    engine.dispose()


def test_the_models_are_what_the_migrations_make(address: DatabaseAddress) -> None:
    engine = create_engine(address.url())
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_object": lambda _, name, kind, *__: (
                    not str(name).startswith(("message_body_", "audit_event_"))
                )
            },
        )
        assert compare_metadata(context, db.metadata) == []
    engine.dispose()


def test_the_build_before_goes_on_writing_and_reading_when_a_message_has_what_it_left_out(
    empty_database: DatabaseAddress,
) -> None:
    engine = create_engine(empty_database.url())
    migrate.upgrade(engine)
    migrate.downgrade(engine, "0009")
    with engine.begin() as connection:
        columns = {each["name"] for each in inspect(connection).get_columns("message")}
        assert "left_out" not in columns
        connection.execute(text(_AS_BUILD_0009_WRITES))
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text(_AS_BUILD_0009_WRITES))
        found = connection.execute(text("SELECT left_out FROM message")).scalars().all()
    assert found == [None, None]
    migrate.downgrade(engine, "0009")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM message")).scalar_one() == 2
    migrate.upgrade(engine)
    engine.dispose()


def test_the_build_before_needs_nothing_of_what_retention_records(own_database: DatabaseAddress) -> None:
    """It writes messages on the new schema, where the table is, and on its own, where it is not."""
    engine = create_engine(own_database.url())
    with engine.begin() as connection:
        connection.execute(text(_AS_BUILD_0009_WRITES))
        connection.execute(text("INSERT INTO retention_record (name, day) VALUES ('message', now())"))
    migrate.downgrade(engine, "0011")
    assert "retention_record" not in inspect(engine).get_table_names()
    with engine.begin() as connection:
        connection.execute(text(_AS_BUILD_0009_WRITES))
    migrate.upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM message")).scalar_one() == 2
        assert connection.execute(text("SELECT count(*) FROM retention_record")).scalar_one() == 0
    engine.dispose()


_AS_BUILD_0009_WRITES = """
INSERT INTO message (
    uuid, kind, created, created_by, modified, modified_by, src_description, dst_description, state,
    message_type, event_code, sending_application, sending_facility, message_control_id, sent_at,
    ack_status, error_code, error_location, error_text, key, duplicate_of, correlation_id, title,
    door)
VALUES (
    gen_random_uuid(), 'hl7', now(), NULL, now(), NULL, 'tie', 'dhos', 'accepted',
    'ADT^A01', 'ADT_A01', 'EPR', 'WARD', '1', now(),
    'AA', NULL, NULL, NULL, NULL, NULL, 'request-1', NULL,
    NULL)
"""


def test_a_newer_migration_than_the_code_knows_is_ready_enough(address: DatabaseAddress) -> None:
    engine = create_engine(address.url())
    with engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert migrate.is_at_head(connection)
        connection.execute(text("DELETE FROM alembic_version"))
        assert not migrate.is_at_head(connection)
    engine.dispose()


def test_flask_db_waits_for_the_disk_whatever_its_role_says(
    empty_database: DatabaseAddress,
) -> None:
    application = create_flask(settings(**empty_database.environment()))
    with application.app_context():
        with db.engine.connect() as connection:
            connection.execute(text(f'ALTER DATABASE "{empty_database.name}" SET synchronous_commit = off'))
            connection.commit()
            connection.invalidate()
        with db.engine.connect() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
        db.engine.dispose()
