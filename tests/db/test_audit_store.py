"""The audit trail on a real PostgreSQL: entries are kept with names only, and nobody alters them."""

from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.audit.store import COMMAND, Entry, record


def _entry() -> Entry:
    return Entry(uuid4(), "change", "patient", uuid4(), uuid4(), "request-1", ("first_name", "phone"))


def test_an_entry_is_kept_with_names_only(database: Database) -> None:
    entry = _entry()
    with database.transaction() as connection:
        record(connection, entry)
        record(connection, Entry(COMMAND, "import", "hospital"))
    with database.statements() as connection:
        rows = connection.execute(text("SELECT * FROM audit_event ORDER BY id")).mappings().all()
    assert [row["actor_kind"] for row in rows] == ["user", "command"]
    assert rows[0]["actor_id"] == entry.actor
    assert rows[0]["fields"] == ["first_name", "phone"]
    assert rows[0]["object_id"] == entry.object_id


@pytest.mark.parametrize(
    "fields", [("Zebedee Canary",), ("+966512345678",), ("name=canary",), ("a@b.example",), ("x" * 64,)]
)
def test_a_value_in_the_place_of_a_name_is_refused(fields: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not a name") as raised:
        Entry(uuid4(), "change", "patient", fields=fields)
    assert fields[0] not in str(raised.value)


def test_an_actor_is_a_user_a_command_or_the_system() -> None:
    with pytest.raises(ValueError, match="actor"):
        Entry("somebody", "change", "patient")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET action = 'look'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "DELETE FROM {partition}",
        "TRUNCATE audit_event_default",
        "TRUNCATE audit_seal",
    ],
)
def test_the_owner_too_is_refused_what_alters(database: Database, statement: str) -> None:
    with database.transaction() as connection:
        record(connection, _entry())
        of_row = "SELECT tableoid::regclass::text FROM audit_event LIMIT 1"
        partition = connection.execute(text(of_row)).scalar_one()
    with pytest.raises(DBAPIError, match="only ever added to"), database.transaction() as connection:
        connection.execute(text(statement.format(partition=partition)))
