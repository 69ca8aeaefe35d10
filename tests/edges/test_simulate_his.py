"""The simulated HIS, against real processes: what it sends is believable, what it is answered right."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from dhos_connector_api.cli.main import main
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.simulate.hospital.his import HospitalOfHis, Transmission, simulate
from tests.builders.his import HIS_SECRET, SITE_FILE
from tests.rigs.processes import ROOT, Web, environment

NOW = datetime(2025, 6, 5, 8, 0, tzinfo=UTC)


def drawn(seed: int, patients: int = 40, *, webhooks: bool = True) -> list[Transmission]:
    return simulate(Random(seed), patients, HospitalOfHis("1", "ALH-main"), NOW, webhooks=webhooks)


def payloads(sent: list[Transmission]) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in sent if not each.is_webhook]


def test_the_same_seed_sends_the_same_bytes_and_another_one_others() -> None:
    assert [each.body for each in drawn(1)] == [each.body for each in drawn(1)]
    assert not {each.body for each in drawn(1)} & {each.body for each in drawn(2)}


def test_patients_come_in_several_alphabets_are_told_again_and_out_of_order() -> None:
    sent = drawn(3)
    entries = [each["FetchPatientDataTimeStampList"][0] for each in payloads(sent)]
    alphabets = {ord(each["PatientName"].split()[-1][-1]) >> 7 for each in entries}
    assert len(alphabets) >= 4
    assert max(Counter(each.body for each in sent).values()) > 1
    assert [each.at for each in sent] != sorted(each.at for each in sent)
    assert {each["HospitalName"] for each in entries} == {"ALH-main"}
    assert any(each["DischargeDate"] for each in entries)
    events = {json.loads(each.body)["event"] for each in sent if each.is_webhook}
    assert {"VISIT_STARTED", "PAYMENT_COMPLETED", "COFFEE_SERVED"} <= events


def test_without_webhooks_there_are_none() -> None:
    assert not any(each.is_webhook for each in drawn(1, webhooks=False))


def test_the_same_seed_at_another_time_puts_nothing_else_under_an_id_it_has_used() -> None:
    drawn_twice = [
        json.loads(each.body)
        for now in (NOW, NOW + timedelta(seconds=7))
        for each in simulate(Random(5), 8, HospitalOfHis("1", "ALH-main"), now, webhooks=True)
        if each.is_webhook
    ]
    said: dict[str, Any] = {}
    for body in drawn_twice:
        assert said.setdefault(body["event_id"], body) == body


@pytest.fixture
def web(address: DatabaseAddress, database: Database, tmp_path: Path) -> Any:
    """A web process with a site of its own; its environment is the simulator's too."""
    (tmp_path / "site.toml").write_text(SITE_FILE)
    more = {"SITE_CONFIG": str(tmp_path / "site.toml"), "HIS_WEBHOOK_SECRET": HIS_SECRET}
    with Web(environment(address, **more), tmp_path) as running:
        yield running, environment(address, **more)


def run(environ: dict[str, str], *arguments: str) -> Any:
    return CliRunner(env=environ).invoke(main, ["simulate", "his", *arguments])


def test_a_whole_simulation_is_answered_as_it_should_be(web: Any, database: Database) -> None:
    running, environ = web
    options = ["--num-patients", "8", "--hospital", "ALH-main", "--rate", "0", "--seed", "5", "--webhooks"]
    done = run(environ, *options, "--url", running.url)
    assert done.exit_code == 0, done.output
    assert "webhook accepted" in done.output
    assert "webhook ignored" in done.output
    assert "webhook repeated" in done.output
    with database.statements() as connection:
        admitted, discharged, stays = connection.execute(
            text(
                "SELECT count(*) FILTER (WHERE event_code = 'HIS_ADMITTED'),"
                " count(*) FILTER (WHERE event_code = 'HIS_DISCHARGED'), count(DISTINCT encounter_id)"
                " FROM integration_event"
            )
        ).one()
    assert (admitted, discharged, stays) == (8, 8, 8)


def test_what_was_refused_is_taken_by_a_replay_on_the_command_line(web: Any, database: Database) -> None:
    running, environ = web
    options = ["--num-patients", "1", "--hospital", "North", "--rate", "0", "--url", running.url]
    assert run(environ, *options).exit_code == 1
    with Path(environ["SITE_CONFIG"]).open("a") as site:
        site.write('\n[[his.hospitals]]\ncode = "North"\nname = "North"\n')
    command = [sys.executable, "-m", "dhos_connector_api", "replay", "--state", "refused"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 4), "some payloads may be the very same: one of them is taken"
    assert "accepted now" in done.stdout
    with database.statements() as connection:
        query = "SELECT count(*) FROM outbox WHERE sender = 'his|North'"
        assert connection.execute(text(query)).scalar_one() >= 5


def test_a_hospital_nobody_knows_is_a_surprise_and_ends_with_status_1(web: Any) -> None:
    running, environ = web
    done = run(environ, "--num-patients", "1", "--hospital", "Elsewhere", "--rate", "0", "--url", running.url)
    assert done.exit_code == 1
    assert "payload was answered 400" in done.output


def test_where_nobody_answers_it_says_so(address: DatabaseAddress) -> None:
    done = run(environment(address), "--hospital", "ALH-main", "--url", "http://127.0.0.1:1")
    assert done.exit_code == 1
    assert "did not answer" in done.output
