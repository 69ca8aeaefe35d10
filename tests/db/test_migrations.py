"""The migrations: up, down and up again, and equal to the models."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from dhos_connector_api.app import rooms
from dhos_connector_api.db import migrate
from dhos_connector_api.db.engine import DatabaseAddress
from dhos_connector_api.db.metadata import db

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
            opts={"include_object": lambda _, name, kind, *__: not str(name).startswith("message_body_")},
        )
        assert compare_metadata(context, db.metadata) == []
    engine.dispose()


def test_a_newer_migration_than_the_code_knows_is_ready_enough(address: DatabaseAddress) -> None:
    engine = create_engine(address.url())
    with engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert migrate.is_at_head(connection)
        connection.execute(text("DELETE FROM alembic_version"))
        assert not migrate.is_at_head(connection)
    engine.dispose()
