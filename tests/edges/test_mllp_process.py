"""The MLLP processes as they are run: their start, their end, and what they say of themselves."""

import re
import socket
from pathlib import Path

import pytest
import requests

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.hl7v2.framing import framed
from dhos_connector_api.hl7v2.read import read
from tests.builders.canaries import CANARY, MESSAGES
from tests.builders.hl7 import adt
from tests.builders.mllp import Client, msa
from tests.rigs.command_line import run
from tests.rigs.mllp_ledger import Mllp
from tests.rigs.processes import environment
from tests.rigs.stored import count
from tests.rigs.waiting import eventually

_DELIVERY = 'application_ack = "delivery"'
_LISTENER = '[[listener]]\nname = "test"\nhost = "127.0.0.1"\nport = {port}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "MLLP_LISTENERS is missing"),
        ('[[listener]]\nname = "a"', "MLLP_LISTENERS does not fit: listener.0.port"),
        (_LISTENER + _DELIVERY, "EPR_MLLP_URL is missing, and test delivers acknowledgements there"),
        ("taken", "MLLP_LISTENERS: test cannot listen: Address already in use"),
    ],
)
def test_what_stops_the_start_is_said_in_one_line(
    address: DatabaseAddress, tmp_path: Path, text: str | None, expected: str
) -> None:
    more: dict[str, str] = {}
    with socket.create_server(("127.0.0.1", 0)) as other:
        if text is not None:
            text = _LISTENER if text == "taken" else text
            file = tmp_path / "listeners.toml"
            file.write_text(text.format(port=other.getsockname()[1]))
            more["MLLP_LISTENERS"] = str(file)
        done = run(environment(address, **more), "mllp")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"Error: {expected}"


def test_at_sigterm_what_is_in_hand_is_answered_and_what_was_answered_is_stored(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    with Mllp(
        environment(address, MLLP_PROCESSES="1"), tmp_path, ("dhos_connector_api", "mllp-process")
    ) as mllp:
        clients = [Client(mllp.port) for _ in range(20)]
        assert all(msa(client.ask(adt()))[0] == "AA" for client in clients)
        raws = [[adt() for _ in range(30)] for _ in clients]
        for client, own in zip(clients, raws, strict=True):
            client.send(b"".join(map(framed, own)))
        clients[0].receive()
        assert mllp.process.stop() == 0
        answered = 1
        for client, own in zip(clients, raws, strict=True):
            answers = [msa(each[1:]) for each in client.rest().split(b"\x1c\r")[:-1]]
            expected = [read(raw).control_id for raw in own][1 if client is clients[0] else 0 :]
            assert [about for _, about in answers] == expected[: len(answers)]
            answered += len(answers)
            client.close()
    assert count(database) == 20 + answered


@pytest.mark.slow
def test_the_all_in_one_start_has_the_mllp_door_too(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    environ = environment(address, SERVER_PORT=str(port), MLLP_PROCESSES="2")
    with Mllp(environ, tmp_path, ("dhos_connector_api", "all")) as mllp:
        with Client(mllp.port) as client:
            assert msa(client.ask(adt(control_id="C1"))) == ("AA", "C1")
        eventually(lambda: requests.get(f"http://127.0.0.1:{port}/ready", timeout=10).ok)
        assert mllp.process.stop() == 0
    assert count(database) == 1


@pytest.mark.slow
def test_the_processes_show_their_figures_together(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    environ = environment(address, MLLP_METRICS_PORT=str(port), MLLP_PROCESSES="2")
    with Mllp(environ, tmp_path) as mllp:
        clients = [Client(mllp.port) for _ in range(8)]
        for client in clients:
            assert msa(client.ask(adt()))[0] == "AA"
            assert msa(client.ask(adt("A20")))[0] == "AR"
        clients[0].send(b"rubbish\x0b")

        def figures() -> dict[str, float]:
            text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
            found = re.findall(r"^(connector_mllp.*) (\S+)$", text, re.MULTILINE)
            return {name: float(value) for name, value in found}

        stray = 'connector_mllp_frames_total{listener="test",outcome="bytes outside a frame"}'
        answered = 'connector_mllp_frames_total{listener="test",outcome="answered"}'
        eventually(lambda: stray in (seen := figures()) and seen[answered] == 16)
        seen = figures()
        assert seen['connector_mllp_connections{listener="test"}'] == 8
        assert seen['connector_mllp_frames_total{listener="test",outcome="answered"}'] == 16
        assert seen['connector_mllp_acks_total{code="AA",listener="test"}'] == 8
        assert seen['connector_mllp_acks_total{code="AR",listener="test"}'] == 8
        assert seen['connector_mllp_ack_seconds_count{listener="test"}'] == 16
        assert seen["connector_mllp_group_frames_sum"] == 16
        for client in clients:
            client.close()
        assert mllp.process.stop() == 0


def _with(expected: str, text: str) -> str:
    """The text, if that is in it."""
    return text if expected in text else ""


@pytest.mark.parametrize("style", ["json", pytest.param("plain", marks=pytest.mark.slow)])
def test_no_canary_reaches_a_log_or_a_metric(
    address: DatabaseAddress, database: Database, tmp_path: Path, style: str
) -> None:
    port = free_port()
    environ = environment(address, LOG_FORMAT=style, LOG_LEVEL="DEBUG", MLLP_METRICS_PORT=str(port))
    canary = CANARY.encode()
    with Mllp(environ, tmp_path) as mllp:
        with Client(mllp.port) as client:
            for raw in MESSAGES:
                assert msa(client.ask(raw))[0] in {"AA", "AE", "AR"}
            client.ask(b"BHS|^~\\&|" + canary + b"\r" + b"".join(MESSAGES[:5]) + b"BTS|" + canary + b"\r")
            client.send(canary + b"\x0bMSH|" + canary + b"\x0bMSH|" + canary + b"\x1c" + framed(MESSAGES[0]))
            client.receive()
            client.send(b"\x0bMSH|^~\\&|" + canary)
        with Client(mllp.port) as junk:
            junk.send(canary * 1000)
            assert junk.rest() == b""
        url = f"http://127.0.0.1:{port}/metrics"
        metrics = eventually(lambda: _with("connector_mllp_acks_total", requests.get(url, timeout=10).text))
        assert mllp.process.stop() == 0
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    for expected in ("message received", "bytes dropped", "connection closed", "not an MLLP sender"):
        assert expected in logs
    assert CANARY not in logs + metrics
