"""The audit trail where the database is another: restored from a dump, or of an owner that is not we."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from dhos_connector_api.clock import now
from dhos_connector_api.db.embedded import EmbeddedPostgres
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from dhos_connector_api.px.audit import search
from dhos_connector_api.px.audit.periodic import make_partitions
from dhos_connector_api.px.audit.seal import seal_next
from dhos_connector_api.px.audit.store import COMMAND, Entry, record
from dhos_connector_api.px.audit.verify import verify
from tests.rigs.backup import back_up_and_restore
from tests.rigs.settled import wait_until_settled
from tests.rigs.shared_postgres import administration

pytestmark = pytest.mark.slow


def written(database: Database, number: int) -> None:
    for _ in range(number):
        with database.transaction() as connection:
            record(connection, Entry(COMMAND, "import", "hospital"))


def sealed(database: Database) -> int:
    wait_until_settled(database)
    with database.transaction() as connection:
        seal_next(connection, now())
    with database.transaction() as connection:
        assert list(verify(connection)) == []
        return sum(each.rows for each in search.seals(connection))


def test_a_dump_restored_into_another_server_goes_on_being_sealed(
    own_database: DatabaseAddress, own_pool: Database, tmp_path: Path
) -> None:
    with own_pool.statements() as connection:
        for _ in range(3_000):  # the other server's ids are well below
            connection.execute(text("SELECT pg_current_xact_id()"))
    written(own_pool, 3)
    assert sealed(own_pool) == 3
    other = EmbeddedPostgres(tmp_path / "other")
    server = other.start()
    target = replace(server, name="restored")
    try:
        with administration(server) as connection:
            connection.execute(text("CREATE DATABASE restored"))
        back_up_and_restore(own_database, target, tmp_path)
        engine = create_engine(target.url(), **engine_options(pool_size=2))
        copy = Database(engine)
        written(copy, 2)
        with copy.statements() as connection:
            epochs = connection.execute(text("SELECT count(DISTINCT epoch) FROM audit_event")).scalar_one()
        assert epochs == 2
        assert sealed(copy) == 5
        engine.dispose()
    finally:
        other.stop()


def test_a_role_that_owns_nothing_writes_and_seals_and_makes_no_partition(
    own_database: DatabaseAddress, own_pool: Database
) -> None:
    with own_pool.transaction() as connection:
        connection.execute(text("CREATE ROLE audit_service_test"))
        connection.execute(
            text(
                "GRANT SELECT ON audit_event, audit_event_default, audit_seal, audit_dropped"
                " TO audit_service_test;"
                "GRANT INSERT ON audit_seal, audit_dropped TO audit_service_test;"
                "GRANT INSERT (id, at, actor_kind, actor_id, action, object_type, object_id, hospital_id,"
                " request_id, fields) ON audit_event TO audit_service_test"
            )
        )
    engine = create_engine(own_database.url(), **engine_options(pool_size=1))
    service = Database(engine)
    try:
        with service.statements() as connection:
            connection.execute(text("SET ROLE audit_service_test"))
        written(service, 2)
        assert sealed(service) == 2
        with service.statements() as connection:
            assert connection.execute(text("SELECT current_user")).scalar_one() == "audit_service_test"
        for statement in (
            "DELETE FROM audit_event",
            "DROP TABLE audit_seal",
            "UPDATE audit_seal SET rows = 0",
            "INSERT INTO audit_event (id, at, actor_kind, action, object_type, epoch, txid)"
            " VALUES (gen_random_uuid(), now(), 'system', 'look', 'patient', 1, 1)",
        ):
            with pytest.raises(DBAPIError, match=r"denied|owner"), service.transaction() as connection:
                connection.execute(text(statement))
        with pytest.raises(DBAPIError, match=r"denied|owner"), service.transaction() as connection:
            make_partitions(connection, now())
    finally:
        engine.dispose()
        with own_pool.transaction() as connection:
            connection.execute(text("DROP OWNED BY audit_service_test"))
            connection.execute(text("DROP ROLE audit_service_test"))
