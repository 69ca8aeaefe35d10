"""What commands say of their settings: all that is wrong in one line, slips, `migrate` alone."""

import json

import pytest

from dhos_connector_api.db.engine import DatabaseAddress
from tests.rigs.command_line import run
from tests.rigs.processes import environment


def test_migrate_needs_nothing_but_the_database(address: DatabaseAddress) -> None:
    environ = environment(address)
    for name in ("PROXY_URL", "HS_KEY"):
        del environ[name]
    done = run(environ, "migrate")
    assert (done.returncode, done.stdout) == (0, "the database is up to date\n"), done.stderr
    refused = run(environ, "messages", "list")
    assert (refused.returncode, refused.stderr) == (
        1,
        "Error: HS_ISSUER is missing (or set PROXY_URL); HS_KEY is missing\n",
    )


def test_a_slip_is_in_the_log(address: DatabaseAddress) -> None:
    done = run(environment(address, OUTBOX_RETENTON="CANARY"), "outbox", "list")
    (line,) = [json.loads(each) for each in done.stderr.splitlines()]
    assert line["level"] == "WARNING"
    assert line["message"] == "OUTBOX_RETENTON is no setting; is OUTBOX_RETENTION meant?"
    assert "CANARY" not in done.stderr


@pytest.mark.parametrize(
    "command", [["messages", "list"], ["deliveries", "list"], ["migrate"], ["keys", "list"]]
)
def test_a_database_that_is_away_is_one_line_with_its_cause(command: list[str]) -> None:
    away = DatabaseAddress("127.0.0.1", 1, "nothing", "nobody", "CANARYWORD")
    done = run(environment(away, LOG_LEVEL="ERROR"), *command)
    expected = "Error: the database did not answer (PostgreSQL at 127.0.0.1:1: refused)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
