"""The commands for parked envelopes and merges as a person uses them; the relay that applies by itself."""

from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api import clock
from dhos_connector_api.actions.envelope import EVENT_ROUTING_KEY
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.inbox import parking
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.outbox import store
from tests.builders.feed import Happening, expected
from tests.rigs import command_line
from tests.rigs.feed_ledger import patients, reader
from tests.rigs.processes import environment, relay
from tests.rigs.waiting import eventually


@pytest.fixture
def environ(address: DatabaseAddress, database: Database) -> dict[str, str]:
    return environment(address, LOG_LEVEL="ERROR")


def _parked(database: Database) -> list[dict[str, object]]:
    with database.statements() as connection:
        return parking.listed(connection, 10)


def _audited(database: Database) -> list[tuple[object, ...]]:
    """What the command line left in the audit trail."""
    query = text("SELECT action, object_type, object_id FROM audit_event WHERE actor_kind = 'command'")
    with database.statements() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_parked_envelopes_are_listed_without_their_bodies_and_tried_again(
    environ: dict[str, str], database: Database
) -> None:
    letter = Letter(str(uuid4()), EVENT_ROUTING_KEY, "request-1", b"CANARY no JSON")
    reader(database).take([letter])
    listed = command_line.run(environ, "consume", "parked", "list").stdout
    assert "organizations: 1 parked, 0 are tried again" in listed
    assert f"{letter.id}  organizations  {EVENT_ROUTING_KEY}" in listed
    assert "no JSON" in listed
    assert "CANARY" not in listed
    assert command_line.run(environ, "consume", "parked", "retry").returncode == 2
    assert (
        "1 are tried again" in command_line.run(environ, "consume", "parked", "retry", str(letter.id)).stdout
    )
    assert _parked(database)[0]["next_at"] is not None
    assert _audited(database) == [("retry", "envelope", letter.id)]
    doctor = command_line.run(environ, "doctor").stdout
    assert "organizations: 0 parked, 1 are tried again" in doctor


def test_consume_needs_a_rabbitmq(environ: dict[str, str]) -> None:
    done = command_line.run(environ, "consume")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: RABBITMQ_HOST is missing")


def test_a_patient_is_unmerged_by_his_id(environ: dict[str, str], database: Database) -> None:
    reader(database).take([Happening("M2", "ADT_A40", prior="M1").letter()])
    with database.statements() as connection:
        prior = connection.execute(text("SELECT id FROM patient WHERE mrn = 'M1'")).scalar_one()
    assert command_line.run(environ, "organizations", "unmerge", str(prior)).stdout.startswith("unmerged: 1 ")
    assert patients(database)["M1"].merged_into is None
    assert _audited(database) == [("unmerge", "patient", prior)]
    again = command_line.run(environ, "organizations", "unmerge", str(prior))
    assert (again.returncode, "not merged" in again.stderr) == (1, True)


def test_without_rabbitmq_the_relay_applies_envelopes_and_settles_them(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    happenings = [Happening("M1", name=("Ann", "Lee")), Happening("M2", "ADT_A40", prior="M1")]
    with database.transaction() as connection:
        for each in happenings:
            store.add(connection, each.envelope(), message_uuid=each.event, sender="EPR", at=clock.now())
    with relay(environ | {"CONSUME_PROCESSES": "1"}, tmp_path):
        query = text("SELECT count(*) FROM outbox WHERE published_at IS NULL")
        with database.statements() as connection:
            eventually(lambda: connection.execute(query).scalar_one() == 0)
    assert patients(database) == expected(happenings)
