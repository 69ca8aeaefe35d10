"""API keys on the command line, and replaying what came as JSON."""

import json

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.api import ask, shared_api
from tests.builders.event import kept_event, published, waiting
from tests.rigs.command_line import run
from tests.rigs.processes import environment

UNKNOWN = "2c4f1d24-2952-4d4e-b1d1-3637e33cc161"


@pytest.fixture
def environ(address: DatabaseAddress, database: Database) -> dict[str, str]:
    return environment(address, LOG_LEVEL="ERROR")


def works(database: Database, key: str) -> bool:
    app = shared_api(database, unlimited=True)
    answer = ask(app, "GET", "/api/integrations/events/", headers={"X-API-Key": key})
    return answer.status_code == 200


def test_a_key_is_printed_alone_and_once(environ: dict[str, str], database: Database) -> None:
    made = run(environ, "keys", "create", "--source", "his")
    key = made.stdout.strip()
    assert (made.returncode, made.stdout) == (0, f"{key}\n")
    assert works(database, key)
    listed = run(environ, "keys", "list").stdout
    assert key not in listed
    assert f"  his       {key[:11]}...  made " in listed
    assert listed.endswith("valid\n")
    assert run(environ, "keys", "list", "--source", "lis").stdout == ""


def test_a_key_is_revoked_and_rotated(environ: dict[str, str], database: Database) -> None:
    first = run(environ, "keys", "create", "--source", "his").stdout.strip()
    id_ = run(environ, "keys", "list").stdout.split()[0]
    rotated = run(environ, "keys", "rotate", id_, "--overlap", "12h")
    second = rotated.stdout.strip()
    assert "the old key ends " in rotated.stderr
    assert works(database, first)
    assert works(database, second)
    newest, oldest = run(environ, "keys", "list").stdout.splitlines()
    assert newest.endswith("valid")
    assert "  ends " in oldest
    assert "  revoked " in run(environ, "keys", "revoke", id_).stdout
    assert not works(database, first)
    again = run(environ, "keys", "rotate", id_)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["create"], 2),
        (["create", "--source", ""], 2),
        (["create", "--source", "a\nb"], 2),
        (["revoke", "no-uuid"], 2),
        (["revoke", UNKNOWN], 1),
        (["rotate", UNKNOWN, "--overlap", "soon"], 2),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_cannot_be_done_is_said(environ: dict[str, str], arguments: list[str], status: int) -> None:
    assert run(environ, "keys", *arguments).returncode == status


def test_replay_publishes_the_event_of_a_message_again(environ: dict[str, str], database: Database) -> None:
    event = kept_event(database)
    published(database)
    shown = run(environ, "messages", "show", str(event.id)).stdout
    assert "dhos.connector_event  published" in shown
    assert run(environ, "replay", str(event.id)).stdout == f"{event.id}  1 to publish\n"
    assert waiting(database) == [(event.envelope_id, "VISIT_STARTED")]
    listed = run(environ, "messages", "list", "--mrn", str(event.patient_identifier)).stdout
    assert listed.startswith(str(event.id))
    with database.statements() as connection:
        body = connection.execute(text("SELECT body FROM outbox")).scalar_one()
    assert json.loads(bytes(body))["dhos_connector_message_uuid"] == str(event.id)
