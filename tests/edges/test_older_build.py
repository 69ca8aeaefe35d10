"""A build on a database that a newer one has migrated: `migrate` does nothing and says so, and all works."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api.app.storage import check_ready
from dhos_connector_api.db import migrate
from dhos_connector_api.db.engine import Database, DatabaseAddress, engine_options
from tests.builders.api import READ, WRITE, api, ask, internal, message_body
from tests.builders.his import INTAKE, WRITE_HIS, payload, raw_of, stay
from tests.builders.hl7 import adt
from tests.rigs.command_line import run
from tests.rigs.processes import environment
from tests.rigs.shared_postgres import temporary_database

_TOKEN = internal(WRITE, READ, WRITE_HIS, "read:his")
_EVENT = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1", "patient_identifier": "M1"}
#: What a migration of a newer build may add, by the rule: columns that need not be given, tables.
_NEWER = """
DO $$ DECLARE each text; BEGIN
    FOR each IN SELECT quote_ident(relname) FROM pg_class
        WHERE relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'alembic_version'
            AND relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN newer_text text', each);
        EXECUTE format('ALTER TABLE %s ADD COLUMN newer_number integer NOT NULL DEFAULT 7', each);
    END LOOP;
    CREATE TABLE newer_table (id uuid PRIMARY KEY);
    UPDATE alembic_version SET version_num = 'of-a-newer-build';
END $$
"""


@pytest.fixture(scope="module")
def newer(postgres: DatabaseAddress, template: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database as a newer build left it."""
    with temporary_database(postgres, template=template) as address:
        engine = create_engine(address.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(_NEWER))
        engine.dispose()
        yield address


@pytest.fixture
def database(newer: DatabaseAddress) -> Iterator[Database]:
    engine = create_engine(newer.url(), **engine_options(pool_size=4))
    yield Database(engine)
    engine.dispose()


def revision(database: Database) -> str:
    with database.statements() as connection:
        found: str = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    return found


def test_migrate_of_the_older_build_says_so_and_ends_with_0(
    newer: DatabaseAddress, database: Database
) -> None:
    for _ in range(2):
        done = run(environment(newer), "migrate")
        assert done.returncode == 0, done.stderr
        assert done.stdout == (
            "a newer build has migrated the database: nothing is done, and this build works on it\n"
        )
    assert revision(database) == "of-a-newer-build"
    assert migrate.upgrade(database.engine) is False


def test_the_older_build_works_on_the_newer_schema(database: Database) -> None:
    check_ready(database, in_production=False)
    app = api(database, changes={"intake": lambda: INTAKE})
    posted = ask(app, "POST", "/dhos/v1/message", token=_TOKEN, json=message_body(adt()))
    assert posted.status_code == 200
    events = "/api/integrations/events/"
    json_ = {"Content-Type": "application/json"}
    patients = {"content": raw_of(payload(stay())), "headers": json_}
    for method, path, request in (
        ("POST", "/api/integrations/his-patient-data/", patients),
        ("POST", events, {"json": _EVENT}),
        ("POST", f"{events}bulk_create/", {"json": {"events": [_EVENT | {"encounter_id": "V2"}]}}),
        ("GET", events, {}),
        ("GET", "/dhos/v1/delivery", {}),
    ):
        answer = ask(app, method, path, token=_TOKEN, **request)
        assert answer.status_code in (200, 201), (path, answer.text)


@pytest.mark.parametrize(
    "command",
    [["messages", "list"], ["outbox", "list"], ["deliveries", "list"], ["keys", "create", "--source", "his"]],
)
def test_its_commands_work_there(newer: DatabaseAddress, command: list[str]) -> None:
    done = run(environment(newer), *command)
    assert done.returncode == 0, done.stderr
