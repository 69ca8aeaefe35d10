"""`connector doctor`: what it finds, what it advises, and what it reads in a log."""

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from dhos_connector_api import clock
from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.messages import store, vanished
from tests.builders.rows import WINDOW, effects, new_message
from tests.rigs.command_line import Done, run
from tests.rigs.processes import environment, relay
from tests.rigs.waiting import eventually


def _doctor(address: DatabaseAddress, *options: str, **more: str) -> Done:
    return run(environment(address, **more), "doctor", *options)


def _sql(address: DatabaseAddress, statement: str) -> None:
    engine = create_engine(address.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_what_is_well_and_what_is_not(own_database: DatabaseAddress) -> None:
    found = _doctor(own_database)
    assert found.returncode == 1
    for said in (
        "ok   PostgreSQL  writes",
        "ok   PostgreSQL  has every migration",
        "ok   RabbitMQ    is not set",
    ):
        assert said in found.stdout
    assert "BAD  relay       none holds the lease" in found.stdout
    assert "-> start one: connector relay" in found.stdout


@pytest.mark.slow
def test_all_is_well_once_a_relay_runs(own_database: DatabaseAddress, tmp_path: Path) -> None:
    assert _doctor(own_database).returncode == 1
    with relay(environment(own_database), tmp_path):
        eventually(lambda: _doctor(own_database).returncode == 0, seconds=30)


def test_envelopes_that_wait_for_long_or_are_dead_are_bad(own_database: DatabaseAddress) -> None:
    row = (
        "INSERT INTO outbox (id, message_uuid, sender, routing_key, body, correlation_id, created, dead_at)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), 'A', 'dhos.x', '{{}}', '-',"
        " now() - interval '5 min', {})"
    )
    for dead_at in ("NULL", "now()"):
        _sql(own_database, row.format(dead_at))
    found = _doctor(own_database)
    assert found.returncode == 1
    assert "BAD  outbox      dhos.x: 1 wait, the oldest for 30" in found.stdout
    assert "BAD  outbox      dhos.x: 1 can never be published" in found.stdout


def test_a_database_or_a_broker_that_is_away_is_told_with_its_cause(own_database: DatabaseAddress) -> None:
    port = free_port()
    nowhere = DatabaseAddress("127.0.0.1", port, "x", "x", "secret-of-mine")
    found = _doctor(nowhere, RABBITMQ_HOST="127.0.0.1", RABBITMQ_PORT=str(port))
    assert found.returncode == 1
    assert f"PostgreSQL at 127.0.0.1:{port}: refused" in found.stdout
    assert "BAD  RabbitMQ    cannot be used: refused" in found.stdout
    assert "secret-of-mine" not in found.stdout
    assert "Traceback" not in found.stdout


def test_a_log_says_what_was_kept_and_answered(database: Database) -> None:
    there, not_there = new_message(), [uuid4(), uuid4()]
    with database.transaction() as connection:
        store.insert(connection, there, effects(there), window=WINDOW)
    kept = {"kind": "hl7", "outcome": "accepted", "ack": "AA", "control_id": "C1", "time": "2024-01-01"}
    lines = [
        json.dumps(kept | {"message_uuid": str(not_there[0])}),
        json.dumps(kept | {"message_uuid": str(there.uuid)}),
        "2024-01-01T00:00:00Z stderr F "
        + json.dumps(kept | {"message_uuid": str(not_there[1]), "ack": None}),
        json.dumps(kept | {"message_uuid": str(uuid4()), "outcome": "repeated"}),
        json.dumps(kept | {"message_uuid": "no uuid"}),
        json.dumps(kept | {"message_uuid": 5}),
        json.dumps([kept, "message_uuid"]),
        json.dumps(kept | {"message_uuid": str(uuid4()), "outcome": ["accepted"]}),
        '{"message_uuid": ' + "[" * 200_000,
        '{"message_uuid": ',
        "started",
    ]
    with database.statements() as connection:
        found = list(vanished.of(connection, vanished.acknowledged(lines)))
    assert [each.uuid for each in found] == not_there
    assert [(each.ack, each.control_id, each.kind) for each in found] == [
        ("AA", "C1", "hl7"),
        ("-", "C1", "hl7"),
    ]


def test_what_retention_has_removed_is_not_missed(own_database: DatabaseAddress, tmp_path: Path) -> None:
    old = clock.new_uuid(clock.now() - timedelta(days=40))
    kept = {"kind": "hl7", "outcome": "accepted", "message_uuid": str(old)}
    (tmp_path / "log").write_text(json.dumps(kept) + "\n")
    log = f"--log={tmp_path / 'log'}"
    assert f"GONE {old}" in _doctor(own_database, log).stdout
    names = ("MESSAGE", "MESSAGE_BODY", "DELIVERY", "EVENT")
    retention = {f"{name}_RETENTION": "30d" for name in names}
    assert "\n0 were acknowledged" in _doctor(own_database, log, **retention).stdout


def test_lines_that_are_not_ours_take_no_memory_and_no_terminal() -> None:
    """A file of zeros is one line of any length; a sender may put what moves a cursor into its control id."""
    pieces = list(vanished.lines_of(StringIO("\0" * 2_500_000 + "\nend\n")))
    assert [len(each) for each in pieces] == [1_000_000, 1_000_000, 500_001, 4]
    line = {"message_uuid": str(uuid4()), "outcome": "accepted", "control_id": "\x1b[2J\n" + "x" * 5000}
    (found,) = vanished.acknowledged([json.dumps(line)])
    assert found.control_id.startswith("?[2J?x")
    assert len(found.control_id) == 200
