"""Control ids that hold identifiers: no log, metric or error shows one where the site says so."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.intake.control_ids import log_key, logged
from dhos_connector_api.intake.together import take_together
from tests.builders.canaries import CANARY
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE, an_arrival
from tests.builders.mllp import Client, msa
from tests.builders.rows import INTERNAL_KEY
from tests.rigs.command_line import run
from tests.rigs.ledger import QUEUE, Platform, token
from tests.rigs.mllp_ledger import Mllp
from tests.rigs.outages import Away
from tests.rigs.processes import Web, environment, rabbitmq, relay
from tests.rigs.rabbitmq import amqp_headers
from tests.rigs.waiting import eventually

_SITE = """
[inbound]
control_ids_hold_identifiers = true

[[inbound.claims]]
listener = "test"
senders = [{ application = "CLAIMED" }]
"""
#: Taken, repeated, contradicted, refused for its type, its header and its sender, and one of every length.
_MESSAGES = [
    adt(control_id=f"{CANARY}-1", family="ONE"),
    adt(control_id=f"{CANARY}-1", family="OTHER"),
    adt("A99", control_id=f"{CANARY}-2"),
    adt(control_id=f"{CANARY}-{'3' * 300}"),
    adt(control_id=f"{CANARY}-4", MSH_3="CLAIMED"),
    adt(control_id=f"{CANARY}-5", PID=None),
    adt(control_id=f"\xe9{CANARY}-6", codec="latin-1", MSH_18="ASCII"),
    adt("A40", control_id=f"{CANARY}-7"),
]
_MESSAGES += _MESSAGES[:1]


@pytest.mark.slow
@pytest.mark.parametrize("style", ["json", "plain"])
def test_no_control_id_reaches_a_log_a_metric_an_error_or_an_amqp_header(
    address: DatabaseAddress,
    database: Database,
    shared_rabbitmq: BrokerAddress,
    tmp_path: Path,
    style: str,
) -> None:
    (tmp_path / "site.toml").write_text(_SITE)
    environ = environment(
        address,
        **rabbitmq(shared_rabbitmq),
        SITE_CONFIG=str(tmp_path / "site.toml"),
        LOG_FORMAT=style,
        LOG_LEVEL="DEBUG",
    )
    Platform(shared_rabbitmq)
    errors: list[str] = []
    with Mllp(environ, tmp_path) as mllp, Web(environ, tmp_path) as web, relay(environ, tmp_path):
        with Client(mllp.port) as client:
            for raw in _MESSAGES:
                assert CANARY in msa(client.ask(raw))[1], "its sender is told"
            client.ask(b"BHS|^~\\&|\r" + b"".join(_MESSAGES) + b"BTS|1\r")
        url, session = f"{web.url}/dhos/v1/message", requests.Session()
        session.headers["Authorization"] = f"Bearer {token()}"
        for raw in _MESSAGES:
            assert session.post(url, data=raw, headers={"Content-Type": "application/hl7-v2"}).ok
        batch = b"".join(_MESSAGES)
        assert session.post(url, data=batch, headers={"Content-Type": "application/hl7-v2-batch"}).ok
        errors.append(session.get(f"{url}/search/{CANARY}-1?limit=0").text)
        found = session.get(f"{url}/search/{CANARY}-1").json()
        headers = eventually(lambda: amqp_headers(shared_rabbitmq, QUEUE, at_least=2))
        metrics = requests.get(f"{web.url}/metrics", timeout=10).text
        assert mllp.process.stop() == 0
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    for expected in ("message received", "through another door", "claimed by another door"):
        assert expected in logs
    for place in (logs, metrics, headers, *errors):
        assert CANARY not in place
    (shown,) = run(environ, "messages", "logged-as", f"{CANARY}-1").stdout.split()
    lines = [line for line in logs.splitlines() if shown in line]
    assert any(found[-1]["uuid"] in line for line in lines), "the first message is found by its control id"


def test_one_that_is_not_stored_is_told_of_by_its_hash_too(caplog: pytest.LogCaptureFixture) -> None:
    key = log_key(INTERNAL_KEY)
    arrivals = [an_arrival(adt(control_id=f"{CANARY}-{number}")) for number in range(3)]
    with caplog.at_level(logging.DEBUG):
        list(take_together(arrivals, replace(INTAKE, log_key=key), Away().database))
    (first, *_) = [vars(each)["control_id"] for each in caplog.records if "control_id" in vars(each)]
    assert first == logged(f"{CANARY}-0", key)
    assert CANARY not in json.dumps([vars(each) for each in caplog.records], default=str)


def test_a_site_that_says_nothing_has_control_ids_in_its_logs(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        list(take_together([an_arrival(adt(control_id="C1"))], INTAKE, database))
    assert [vars(each)["control_id"] for each in caplog.records if "control_id" in vars(each)] == ["C1"]


def test_a_hash_is_keyed_and_short_and_follows_from_all_of_the_control_id() -> None:
    key, other = log_key("x" * 64), log_key("y" * 64)
    assert logged("MRN123", key).startswith("hash:")
    assert len(logged("MRN123", key)) == 21
    assert len({logged("MRN123", key), logged("MRN123", other), logged("MRN124", key)}) == 3
    assert logged("A" * 65, key) != logged("A" * 66, key)
    assert (logged(None, key), logged("", key), logged("A" * 65, None)) == ("", "", "A" * 64)
