"""The commands for deliveries as a person uses them: real processes, their output, their exit status."""

import subprocess
import sys
from datetime import datetime
from uuid import UUID

import pytest

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.deliveries.rules.outcome import Kind
from tests.builders.delivery import Clock, Script, deliverer, failed, queue, shown, work
from tests.rigs import command_line
from tests.rigs.command_line import Done
from tests.rigs.processes import ROOT, environment


@pytest.fixture
def environ(address: DatabaseAddress, database: Database) -> dict[str, str]:
    return environment(address, LOG_LEVEL="ERROR")


def run(environ: dict[str, str], *arguments: str) -> Done:
    """Run `deliveries ARGUMENTS`."""
    return command_line.run(environ, "deliveries", *arguments)


@pytest.fixture
def at() -> Clock:
    return Clock(clock.now())


def refused(database: Database, at: Clock) -> str:
    """A delivery that the EPR has refused; its uuid."""
    uuid = queue(database, at=at.now())
    refusal = failed(Kind.PERMANENT, ack_code="AE", http_status=200, detail="JANE DOE IS UNKNOWN")
    work(deliverer(database, Script([refusal]), at))
    return str(uuid)


def test_list_shows_how_each_destination_is_doing_and_what_was_asked_for(
    environ: dict[str, str], database: Database, at: Clock
) -> None:
    dead = refused(database, at)
    waiting = str(queue(database, at=at.now()))
    for _ in range(3):
        work(deliverer(database, Script([failed()]), at))
        at.pass_(60)
    everything = run(environ, "list").stdout
    assert "epr: 1 waiting, the oldest since" in everything
    assert "1 dead, FAILING since" in everything
    assert dead in everything
    assert waiting in everything
    assert waiting not in run(environ, "list", "--state", "dead").stdout
    assert dead not in run(environ, "list", "--older-than", "1h").stdout
    assert dead in run(environ, "list", "--newer-than", "1h", "--destination", "epr").stdout
    assert run(environ, "list", "--older-than", "soon").returncode == 2


def test_show_tells_every_attempt_and_what_was_said_only_when_asked(
    environ: dict[str, str], database: Database, at: Clock
) -> None:
    uuid = refused(database, at)
    done = run(environ, "show", uuid)
    (attempt,) = [line for line in done.stdout.splitlines() if line.startswith("attempt ")]
    assert all(part in attempt for part in ("permanent", "HTTP 200", "AE", "it did not work"))
    assert "JANE" not in done.stdout
    assert "JANE DOE" in run(environ, "show", uuid, "--detail").stdout
    missing = run(environ, "show", "2c4f1d24-2952-4d4e-b1d1-3637e33cc161")
    assert (missing.returncode, missing.stderr.strip()) == (1, "Error: there is no delivery with that uuid")


def test_retry_and_cancel_take_deliveries_by_name(
    environ: dict[str, str], database: Database, at: Clock
) -> None:
    uuid = refused(database, at)
    assert "will be attempted again" in run(environ, "retry", uuid).stdout
    assert "cancelled" in run(environ, "cancel", uuid).stdout
    assert run(environ, "retry", uuid).returncode == 0
    work(deliverer(database, Script(), Clock(clock.now())))
    for order in ("retry", "cancel"):
        done = run(environ, order, uuid)
        assert done.returncode == 1
        assert "deliver" in done.stderr
        assert "Traceback" not in done.stderr


def test_retry_spreads_many_by_the_rate(environ: dict[str, str], database: Database, at: Clock) -> None:
    uuids = [refused(database, at) for _ in range(3)]
    since = at.now().strftime("%Y-%m-%dT%H:%M")
    done = run(environ, "retry", "--destination", "epr", "--since", since, "--rate", "0.1")
    assert done.stdout.strip() == "3 will become due again within 30 s"
    with database.statements() as connection:
        rows = connection.exec_driver_sql("SELECT due_at FROM delivery ORDER BY due_at").scalars().all()
    due: list[datetime] = list(rows)
    assert [(each - due[0]).total_seconds() for each in due] == [0, 10, 20]
    assert run(environ, "retry", "--destination", "mirth").stdout.startswith("0 ")
    for wrong in ((), (uuids[0], "--dead")):
        assert run(environ, "retry", *wrong).returncode == 2


def test_a_message_shows_its_deliveries(environ: dict[str, str], database: Database, at: Clock) -> None:
    uuid = refused(database, at)
    message = shown(database, UUID(uuid))["message_uuid"]
    command = [sys.executable, "-m", "dhos_connector_api", "messages", "show", str(message)]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=True)
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("delivery ")]
    assert uuid in line
    assert "dead" in line
