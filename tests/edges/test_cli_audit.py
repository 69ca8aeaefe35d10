"""The audit trail on the command line: list and export it, show its seals, verify it."""

import json
from uuid import uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.px.audit.seal import seal_next
from dhos_connector_api.px.audit.store import COMMAND, Entry, record
from tests.rigs.command_line import run
from tests.rigs.processes import environment
from tests.rigs.settled import wait_until_settled


@pytest.fixture
def environ(address: DatabaseAddress, database: Database) -> dict[str, str]:
    return environment(address, LOG_LEVEL="ERROR")


def written(database: Database, *entries: Entry) -> None:
    with database.transaction() as connection:
        for each in entries:
            record(connection, each)


def test_entries_are_listed_and_exported(environ: dict[str, str], database: Database) -> None:
    actor = uuid4()
    written(database, Entry(COMMAND, "import", "hospital"), Entry(actor, "look", "patient", uuid4()))
    listed = run(environ, "audit", "list", "--actor", str(actor), "--limit", "5")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count("\n") == 2
    assert f"user,{actor},look,patient," in listed.stdout
    exported = run(environ, "audit", "export", "--format", "jsonl", "--from", "2020-01-01")
    assert [json.loads(line)["action"] for line in exported.stdout.splitlines()] == ["import", "look"]
    none = run(environ, "audit", "export", "--to", "2020-01-01T00:00:00+0300")
    assert (none.returncode, none.stdout.count("\n")) == (0, 1)


def test_seals_are_shown_and_verified(environ: dict[str, str], database: Database) -> None:
    written(database, Entry(COMMAND, "import", "hospital"))
    wait_until_settled(database)
    with database.transaction() as connection:
        assert seal_next(connection, now())
    seals = run(environ, "audit", "seals").stdout
    hash_ = seals.split()[-1]
    assert f"{now():%Y-%m}  1  1 rows  {hash_}\n" in seals
    verified = run(environ, "audit", "verify", "--seal", hash_)
    assert (verified.returncode, verified.stdout) == (0, "every seal fits its rows\n")
    assert run(environ, "audit", "verify", "--seal", "00").returncode == 1
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        changed = connection.execute(text("UPDATE audit_event SET action = 'look' RETURNING id")).scalar_one()
    found = run(environ, "audit", "verify")
    assert (found.returncode, found.stdout) == (1, f"{now():%Y-%m}, seal 1: row {changed} was changed\n")
