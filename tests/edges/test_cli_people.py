"""People on the command line: the first admin, another password, the end of a pause."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.px.people.passwords import Passwords
from tests.builders.api import ask
from tests.builders.people import PASSWORD, a_user, people_api
from tests.rigs.command_line import run
from tests.rigs.processes import environment


@pytest.fixture
def environ(address: DatabaseAddress, database: Database) -> dict[str, str]:
    return environment(address, LOG_LEVEL="ERROR")


def logs_in(database: Database, username: str, password: str) -> bool:
    app = people_api(database, changes={"passwords": Passwords()})
    body = {"username": username, "password": password}
    return ask(app, "POST", "/api/auth/token/", json=body).status_code == 200


def test_the_first_admin_is_made_and_his_password_printed_alone_and_once(
    environ: dict[str, str], database: Database
) -> None:
    made = run(environ, "people", "create-admin", "--email", "admin@hospital.example.com")
    password = made.stdout.strip()
    assert (made.returncode, made.stdout) == (0, f"{password}\n")
    assert logs_in(database, "admin", password)
    with database.statements() as connection:
        [left] = connection.execute(
            text("SELECT action, fields FROM audit_event WHERE actor_kind = 'command'")
        )
    assert tuple(left) == ("create", ["email", "password", "roles", "username"])
    listed = run(environ, "people", "list").stdout
    assert "  admin  " in listed
    assert listed.endswith("  PX Admin\n")
    assert password not in listed
    again = run(environ, "people", "create-admin")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)


def test_a_password_is_set_and_a_pause_ended(environ: dict[str, str], database: Database) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    with database.transaction() as connection:
        a_user(connection, 30, username="waits", locked_until=until, failed_logins=9)
    assert not logs_in(database, "waits", PASSWORD)
    assert run(environ, "people", "unlock", "waits").returncode == 0
    assert logs_in(database, "waits", PASSWORD)
    new = run(environ, "people", "set-password", "WAITS").stdout.strip()
    assert logs_in(database, "waits", new)
    assert not logs_in(database, "waits", PASSWORD)
    for command in ("unlock", "set-password"):
        assert run(environ, "people", command, "nobody").returncode == 1
    with database.statements() as connection:
        query = (
            "SELECT action, fields, object_id = u.id FROM audit_event, px_user u WHERE actor_kind = 'command'"
        )
        left = [tuple(row) for row in connection.execute(text(f"{query} ORDER BY audit_event.id"))]
    assert left == [("unlock", [], True), ("set_password", ["password"], True)]
