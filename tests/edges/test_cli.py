"""The command line as a person uses it: real processes, their output, their exit status."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from dhos_connector_api import clock
from dhos_connector_api.auth import jwt
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.intake.take import take
from dhos_connector_api.site.model import Inbound, Site
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE, an_arrival
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY, INTERNAL_KEY, ISSUER
from tests.rigs.command_line import run, start
from tests.rigs.processes import Web, environment

COMMANDS = (
    ["all"],
    ["serve"],
    ["mllp"],
    ["relay"],
    ["migrate"],
    ["token"],
    ["send"],
    ["messages", "list"],
    ["messages", "show"],
    ["messages", "logged-as"],
    ["outbox", "list"],
    ["outbox", "retry"],
    ["replay"],
    ["deliver"],
    ["deliveries", "list"],
    ["deliveries", "show"],
    ["deliveries", "retry"],
    ["deliveries", "cancel"],
    ["keys", "create"],
    ["keys", "list"],
    ["keys", "revoke"],
    ["keys", "rotate"],
    ["support-bundle"],
)


@pytest.fixture
def environ(address: DatabaseAddress, database: Database) -> dict[str, str]:
    adapter = {"EPR_SERVICE_ADAPTER_ISSUER": ADAPTER_ISSUER, "EPR_SERVICE_ADAPTER_HS_KEY": ADAPTER_KEY}
    return environment(address, LOG_LEVEL="ERROR", **adapter)


def kept(database: Database, raw: bytes, site: Site | None = None) -> UUID:
    """The uuid of that message, received at a site."""
    receipt = take(an_arrival(raw), replace(INTAKE, site=site or Site()), database)
    assert receipt.uuid is not None
    return receipt.uuid


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_needs_no_settings(command: list[str]) -> None:
    done = run({"PATH": ""}, *command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("command", [["token"], ["messages", "list"], ["serve"]], ids=" ".join)
def test_a_bad_setting_is_one_line(command: list[str]) -> None:
    done = run({"PATH": "", "PROXY_URL": ISSUER}, *command)
    missing = (
        "Error: HS_KEY is missing; DATABASE_HOST is missing (only DEVELOPMENT has an embedded database);"
        " DATABASE_PASSWORD is missing\n"
    )
    assert (done.returncode, done.stderr) == (1, missing)


@pytest.mark.parametrize("command", [["migrate"], ["all"], ["messages", "list"]], ids=" ".join)
def test_a_database_that_is_away_is_one_line(environ: dict[str, str], command: list[str]) -> None:
    done = run(
        environ | {"DATABASE_PORT": "1", "SERVER_PORT": "0" if command != ["all"] else "5999"}, *command
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: ")


def test_a_taken_port_is_one_line(environ: dict[str, str], tmp_path: Path) -> None:
    with Web(environ, tmp_path) as web:
        done = run(environ | {"SERVER_PORT": str(web.port)}, "serve")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot be listened on" in done.stderr


def test_an_entry_of_the_site_file_that_has_no_effect_is_one_warning(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "site.toml").write_text('[inbound]\naccepted = { ADT = ["*", "ADT^A01"] }\n')
    environ |= {"SITE_CONFIG": str(tmp_path / "site.toml"), "LOG_LEVEL": "WARN"}
    by_command = start(environ, "replay", str(UUID(int=1))).stderr
    with Web(environ, tmp_path) as web:
        pass
    by_server = (tmp_path / f"web-{web.port}.log").read_text()
    for log in (by_command, by_server):
        (told,) = [line for line in log.splitlines() if "has no effect" in line]
        assert "WARNING" in told
        assert "inbound.accepted.ADT: 'ADT^A01'" in told


@pytest.mark.parametrize("name", ["internal", "epr_adapter"])
def test_token_prints_one_that_is_taken(environ: dict[str, str], name: str) -> None:
    done = run(environ, "token", "--issuer", name, "--scope", "a b", "--system-id", "me")
    issuers = (
        jwt.Issuer("internal", ISSUER, (INTERNAL_KEY,)),
        jwt.Issuer("epr_adapter", ADAPTER_ISSUER, (ADAPTER_KEY,)),
    )
    claims = jwt.verify(done.stdout.strip(), issuers, ISSUER, clock.now())
    assert claims.scopes == {"a", "b"}
    assert (claims.issuer, claims.caller) == (name, "me")


@pytest.mark.parametrize("raw", [[], ["--raw"]], ids=["json", "raw"])
def test_send_posts_every_message_of_a_file_and_shows_each_ack(
    environ: dict[str, str], tmp_path: Path, raw: list[str]
) -> None:
    good, bad = adt("A01", control_id="GOOD1"), adt("A20", control_id="BAD1")
    (tmp_path / "good.hl7").write_bytes(good)
    (tmp_path / "both.hl7").write_bytes(b"\x0b" + adt("A03", control_id="GOOD2") + b"\x1c\r" + bad)
    with Web(environ, tmp_path) as web:
        port = environ | {"SERVER_PORT": str(web.port)}
        first = run(port, "send", *raw, str(tmp_path / "good.hl7"))
        second = run(port, "send", *raw, str(tmp_path / "both.hl7"))
    assert (first.returncode, first.stdout) == (0, "AA  GOOD1\n1 AA\n")
    assert second.returncode == 1
    assert second.stdout.splitlines()[0] == "AA  GOOD2"
    assert second.stdout.splitlines()[1].startswith("AR  BAD1  ")
    assert second.stdout.splitlines()[2] == "1 AA, 1 AR"


def test_send_to_nobody_is_one_line(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "one.hl7").write_bytes(adt())
    done = run(environ, "send", "--url", "http://127.0.0.1:1", str(tmp_path / "one.hl7"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_messages_list_and_show(environ: dict[str, str], database: Database) -> None:
    accepted = kept(database, adt("A01", mrn="M1", control_id="C1", family="SECRETNAME"))
    refused = kept(database, adt("A20", mrn="M2", control_id="C2"))
    assert [line.split()[0] for line in run(environ, "messages", "list").stdout.splitlines()] == [
        str(refused),
        str(accepted),
    ]
    for filters, expected in (
        (["--state", "refused"], refused),
        (["--mrn", "M1"], accepted),
        (["--mrn", " M 1"], accepted),
        (["--control-id", "C2"], refused),
        (["--unprocessed"], accepted),
        (["--limit", "1"], refused),
    ):
        listed = run(environ, "messages", "list", *filters).stdout.splitlines()
        assert [line.split()[0] for line in listed] == [str(expected)]
    shown = run(environ, "messages", "show", str(accepted)).stdout
    assert "accepted" in shown
    assert "dhos.24891000000101  waiting since" in shown
    assert "SECRETNAME" not in shown
    assert "SECRETNAME" in run(environ, "messages", "show", "--content", str(accepted)).stdout
    unknown = run(environ, "messages", "show", str(UUID(int=1)))
    assert (unknown.returncode, unknown.stderr) == (1, "Error: there is no message with that uuid\n")


def test_messages_show_what_was_left_out(environ: dict[str, str], database: Database) -> None:
    whole, parted = kept(database, adt("A01")), kept(database, adt("A01", PV1_44="", PID_8="Q"))
    assert "left out" not in run(environ, "messages", "show", str(whole)).stdout
    lines = run(environ, "messages", "show", str(parted)).stdout.splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines if line.startswith("left out")] == [
        "103 PID^1^8: is no sex we can tell: it is sent on as unknown",
        "101 PV1^1^44: no process_encounter: it needs PV1-44",
    ]


def test_outbox_list_and_retry(environ: dict[str, str], database: Database) -> None:
    kept(database, adt())
    with database.transaction() as connection:
        dead = connection.execute(text("UPDATE outbox SET dead_at = now() RETURNING id")).scalar_one()
    kept(database, adt())
    listed = run(environ, "outbox", "list").stdout
    assert listed.startswith("dhos.24891000000101: 1 waiting, the oldest since ")
    assert ", 1 dead\n" in listed
    assert str(dead) not in listed
    assert str(dead) in run(environ, "outbox", "list", "--dead").stdout
    assert run(environ, "outbox", "retry").returncode == 2
    assert run(environ, "outbox", "retry", str(dead)).stdout == "1 wait for the relay again\n"
    assert str(dead) in run(environ, "outbox", "list").stdout
    assert run(environ, "outbox", "retry", "--all-dead").stdout == "0 wait for the relay again\n"


def test_replay(environ: dict[str, str], database: Database) -> None:
    narrow = Site(inbound=Inbound(accepted={"ADT": frozenset({"A40"})}))
    refused, still = kept(database, adt("A01"), narrow), kept(database, adt("A20"))
    assert run(environ, "replay", str(refused)).stdout == f"{refused}  accepted now, 1 to publish\n"
    assert run(environ, "replay", str(refused)).stdout == f"{refused}  1 to publish\n"
    assert run(environ, "replay", str(still)).stdout.startswith(f"{still}  still refused: AR 201 ")
    again = kept(database, adt("A02"), narrow)
    everything = run(environ, "replay", "--state", "refused", "--since", "2026-01-01").stdout
    assert f"{again}  accepted now, 1 to publish" in everything
    assert run(environ, "replay").returncode == 2
    with database.statements() as connection:
        bodies = connection.execute(text("SELECT body FROM outbox ORDER BY position")).scalars().all()
    named = [json.loads(bytes(body))["dhos_connector_message_uuid"] for body in bodies]
    assert named == [str(refused), str(again)]


def test_replay_ends_with_a_status_that_tells(environ: dict[str, str], database: Database) -> None:
    first, lost = kept(database, adt(control_id="C1")), kept(database, adt(control_id="C1"))
    refused, unknown = kept(database, adt("A20")), UUID(int=0)
    replayed = {
        (first,): 0,
        (refused,): 3,
        (lost,): 4,
        (unknown,): 1,
        (refused, lost): 4,
        (unknown, refused, lost, first): 1,
    }
    for uuids, status in replayed.items():
        assert run(environ, "replay", *map(str, uuids)).returncode == status
    assert run(environ, "replay", "--state", "refused").returncode == 4


def test_replay_takes_what_has_the_control_id_of_another(environ: dict[str, str], database: Database) -> None:
    first, lost = kept(database, adt(control_id="C1")), kept(database, adt(control_id="C1"))
    done = [run(environ, "replay", "--force-new", str(lost)) for _ in range(2)]
    assert [each.returncode for each in done] == [0, 0]
    assert done[0].stdout == f"{lost}  accepted now, 1 to publish\n"
    assert done[1].stdout == f"{lost}  accepted before; without --force-new it is published again\n"
    shown = run(environ, "messages", "show", str(lost)).stdout
    assert f"duplicate_of         {first}" in shown
    assert "modified_by          command line" in shown
    assert "replayed_at" in shown
    assert run(environ, "replay", "--force-new", "--state", "refused").returncode == 2


def test_replay_takes_in_what_a_mended_transformer_understands(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    module = tmp_path / "our_hospital.py"
    module.write_text("def transform_incoming(text):\n    return text.replace('|ADT^A20|', '|ADT^A08|')\n")
    refused = kept(database, adt("A20"))
    mended = environ | {"HL7_TRANSFORMER_MODULE": "our_hospital", "PYTHONPATH": str(tmp_path)}
    assert run(mended, "replay", str(refused)).stdout == f"{refused}  accepted now, 1 to publish\n"
    module.write_text("")
    broken = run(mended, "replay", str(refused))
    assert (broken.returncode, broken.stderr) == (
        1,
        "Error: HL7_TRANSFORMER_MODULE has no function transform_incoming\n",
    )


def test_a_message_whose_body_has_had_its_time_says_so_and_is_not_replayed(
    environ: dict[str, str], database: Database
) -> None:
    uuid = kept(database, adt())
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM message_body"))
    shown = run(environ, "messages", "show", str(uuid), "--content")
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (
        0,
        "the message as it was received is no longer kept",
    )
    replayed = run(environ, "replay", str(uuid))
    assert replayed.returncode == 4
    assert "the bytes of this message are no longer kept" in replayed.stdout + replayed.stderr
