"""Clients that nobody here wrote: python-hl7's command line and asyncio client, simple-hl7 on node."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hl7
import pytest
from hl7.mllp import open_hl7_connection

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.framing import framed
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.mllp.answering import FrameAnswerer
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.builders.mllp import msa, serving, unframed
from tests.rigs import npm
from tests.rigs.stored import count, published

NODE = Path(__file__).parents[1] / "node"
SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.hl7"))


@pytest.fixture
def port(database: Database) -> Iterator[int]:
    """A listener before the test's database."""
    with serving(FrameAnswerer(database, lambda: INTAKE).answer) as running:
        yield running.port


def test_python_hl7s_mllp_send(database: Database, port: int, tmp_path: Path) -> None:
    raws = [adt() for _ in range(20)]
    stream = tmp_path / "stream.hl7"
    stream.write_bytes(b"".join(map(framed, raws)))
    command = [sys.executable, "-c", "from hl7.client import mllp_send; mllp_send()"]
    sent = subprocess.run(
        [*command, "--port", str(port), "--file", str(stream), "127.0.0.1"], capture_output=True, check=True
    )
    answers = unframed(sent.stdout.replace(b"\x1c\r\n", b"\x1c\r"))
    assert [msa(each) for each in answers] == [("AA", read(raw).control_id) for raw in raws]
    assert count(database) == 20


def test_python_hl7s_mllp_send_with_the_samples_as_files(port: int) -> None:
    command = [sys.executable, "-c", "from hl7.client import mllp_send; mllp_send()"]
    for sample in SAMPLES:
        if not sample.read_bytes().startswith(b"MSH|^~\\&|"):
            continue  # what --loose asks for
        sent = subprocess.run(
            [*command, "--port", str(port), "--loose", "--file", str(sample), "127.0.0.1"],
            capture_output=True,
            check=True,
        )
        (answer,) = unframed(sent.stdout.replace(b"\x1c\r\n", b"\x1c\r"))
        code, control_id = msa(answer)
        assert code in {"AA", "CA"}, sample.name  # one of them asks for CA in MSH-15
        assert control_id == read(sample.read_bytes()).control_id


def test_python_hl7s_asyncio_client(database: Database, port: int) -> None:
    async def converse() -> list[tuple[str, str]]:
        reader, writer = await open_hl7_connection("127.0.0.1", port, encoding="utf-8")
        answers = []
        for _ in range(20):
            writer.writemessage(hl7.parse(adt(family="Müller").decode()))
            await writer.drain()
            answer = await asyncio.wait_for(reader.readmessage(), 20)
            answers.append((str(answer["MSA"][0][1]), str(answer["MSA"][0][2])))
        writer.close()
        return answers

    answers = asyncio.run(converse())
    assert [code for code, _ in answers] == ["AA"] * 20
    assert len(published(database)) == 20


@pytest.fixture(scope="session")
def node_client() -> list[str]:
    """The command that sends by simple-hl7, installed once, as the lock says."""
    try:
        with npm.installed(NODE, NODE / "node_modules/simple-hl7"):
            pass
    except npm.NoNpm:
        pytest.skip("npm is not here: simple-hl7 sends nothing")
    return ["node", str(NODE / "send.js")]


def test_simple_hl7_on_node(database: Database, port: int, node_client: list[str]) -> None:
    raws = [adt("A01"), adt("A08", family="Åström"), adt("A20"), *[adt() for _ in range(20)]]
    sent = subprocess.run(
        [*node_client, str(port)],
        input=json.dumps([raw.decode() for raw in raws]).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    expected = [["AR" if b"ADT^A20" in raw else "AA", read(raw).control_id] for raw in raws]
    assert json.loads(sent.stdout) == expected
    assert count(database) == len(raws)
