"""The support bundle: what it tells, that it tells nothing of a patient, and that it needs no database."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dhos_connector_api.app.support import without_credentials
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.db.migrate import state
from dhos_connector_api.intake.arrival import Arrival
from dhos_connector_api.intake.take import take
from dhos_connector_api.messages.kinds import Kind
from tests.builders import delivery as deliveries
from tests.builders.canaries import CANARY, MESSAGES
from tests.builders.event import kept_event
from tests.builders.intake import INTAKE, an_arrival
from tests.builders.old import NOW
from tests.builders.rows import INTERNAL_KEY
from tests.rigs.command_line import Done, run
from tests.rigs.processes import environment, rabbitmq

PARTS = {
    *(
        "versions",
        "settings",
        "machine",
        "rabbitmq",
        "findings",
        "postgresql",
        "migrations",
        "messages",
        "outbox",
    ),
    *("deliveries", "events", "inbox", "retention", "sizes", "statements", "replication"),
}
PASSWORD = "not-to-be-seen"


def bundle(environ: dict[str, str], path: Path) -> tuple[Done, dict[str, Any]]:
    """The outcome of the command, and what each part tells."""
    done = run(environ, "support-bundle", "--output", str(path))
    assert done.returncode == 0, done.stderr
    with tarfile.open(path) as archive:
        files = {Path(each.name).stem: archive.extractfile(each) for each in archive.getmembers()}
        return done, {name: json.loads(file.read()) for name, file in files.items() if file}


def arrivals() -> list[Arrival]:
    """Messages with canaries, through every way of becoming something stored."""
    his = json.dumps({f"{CANARY}-H": {"GuestInfo": {"PatientName": CANARY, "VisitID": CANARY}}}).encode()
    return [*(an_arrival(raw) for raw in MESSAGES), an_arrival(his, Kind.HIS)]


def test_it_tells_what_there_is_and_nothing_of_any_patient(
    address: DatabaseAddress, database: Database, shared_rabbitmq: BrokerAddress, tmp_path: Path
) -> None:
    for each in arrivals():
        take(each, INTAKE, database)
    names = ("encounter_id", "patient_identifier", "event_code", "source_system")
    kept_event(database, payload={CANARY: CANARY}, **{name: f"{CANARY}-{name}" for name in names})
    deliveries.queue(database, at=NOW, body=CANARY.encode(), control_id=CANARY)
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO delivery_attempt (delivery_uuid, number, started_at, outcome, ack_code, detail)"
                " SELECT uuid, 1, now(), 'permanent', :canary, :canary FROM delivery"
            ),
            {"canary": CANARY},
        )
        connection.execute(
            text("UPDATE message SET ack_status = :canary WHERE state = 'queued'"), {"canary": CANARY}
        )
        environ = environment(
            address, **rabbitmq(shared_rabbitmq), RATE_LIMIT_STORAGE=f"redis://:{PASSWORD}@127.0.0.1"
        )
        connection.execute(text(f"SELECT '{CANARY}'"))  # stands in pg_stat_activity
        done, told = bundle(environ, tmp_path / "bundle.tar.gz")
        migrated = state(connection)
    assert set(told) == PARTS
    whole = json.dumps(told) + done.stdout + done.stderr
    for hidden in (CANARY, INTERNAL_KEY, PASSWORD):
        assert hidden not in whole
    assert {each["state"] for each in told["messages"]} >= {"accepted", "refused", "unparseable", "queued"}
    assert sum(each["envelopes"] for each in told["outbox"]) > 0
    assert told["migrations"] == migrated
    assert {"message", "message_body_default"} <= {each["name"] for each in told["sizes"]}
    assert told["rabbitmq"]["version"][0].isdigit()
    assert {each["first_word"] for each in told["statements"]["now"]} >= {"SELECT"}
    set_ = {each["name"]: each for each in told["settings"]}
    assert set_["HS_KEY"] == {"name": "HS_KEY", "is_set": True, "value": "(secret)"}
    assert set_["RABBITMQ_HOST"]["value"] == shared_rabbitmq.host


def test_only_its_owner_may_read_it_and_nothing_is_overwritten(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "bundle.tar.gz"
    bundle(environment(address), path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = run(environment(address), "support-bundle", "--output", str(path))
    assert again.returncode == 1
    assert "cannot be written" in again.stderr


def test_without_a_database_and_a_broker_it_says_why_and_goes_on(
    address: DatabaseAddress, tmp_path: Path
) -> None:
    environ = environment(address, RABBITMQ_HOST="127.0.0.1", RABBITMQ_PORT="1") | {"DATABASE_PORT": "1"}
    done, told = bundle(environ | {"DATABASE_HOST": "127.0.0.1"}, tmp_path / "bundle.tar.gz")
    assert set(told) == PARTS
    unknown = {name for name, part in told.items() if isinstance(part, dict) and "not known" in part}
    assert unknown == PARTS - {"versions", "settings", "machine", "findings"}
    assert any("refused" in each["text"] for each in told["findings"])
    assert all(told[name]["not known"] for name in unknown)
    assert f"not known: rabbitmq: {told['rabbitmq']['not known']}" in done.stderr


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://mirth.test:8443/api", "https://mirth.test:8443/api"),
        (f"amqps://user:{PASSWORD}@broker/v", "amqps://(left out)@broker/v"),
        (f"redis://:a@b{PASSWORD}@host", "redis://(left out)@host"),
        (f"postgresql://host/name?password={PASSWORD}", "postgresql://host/name?(left out)"),
        ("45s", "45s"),
        (None, None),
    ],
)
def test_addresses_are_shown_without_who_one_is_there(value: str | None, shown: str | None) -> None:
    assert without_credentials(value) == shown
