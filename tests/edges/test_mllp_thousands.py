"""Thousands of connections to one MLLP process, and fewer files than they need."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from dhos_connector_api import open_files
from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.hl7 import adt
from tests.builders.mllp import Client, msa
from tests.rigs.mllp_ledger import Mllp
from tests.rigs.processes import environment
from tests.rigs.stored import count

pytestmark = pytest.mark.slow
_PROCESS = ("dhos_connector_api", "mllp-process")


def few_files(soft: int, hard: int) -> tuple[str, ...]:
    """The process, where only so many files may be open."""
    return ("tests.rigs.few_files", str(soft), str(hard), "mllp-process")


@contextmanager
def idle(port: int, number: int) -> Iterator[list[Client]]:
    """That many peers that say nothing."""
    peers = [Client(port) for _ in range(number)]
    try:
        yield peers
    finally:
        for peer in peers:
            peer.close()


def test_idle_peers_cost_little_and_honest_senders_are_served(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    many = 2_000
    open_files.raise_limit()
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * many:
        pytest.skip("this machine allows too few open files")
    terms = f"connections_per_peer = {2 * many}\n"
    with Mllp(environment(address), tmp_path, _PROCESS, terms=terms) as mllp:
        process = psutil.Process(mllp.process.popen.pid)
        before = process.memory_info().rss
        with idle(mllp.port, many) as peers:
            with idle(mllp.port, 8) as honest:
                for _ in range(20):
                    assert {msa(sender.ask(adt()))[0] for sender in honest} == {"AA"}
            assert msa(peers[-1].ask(adt()))[0] == "AA"
            assert process.num_fds() > many, "all of them are open"
            assert process.memory_info().rss - before < 20_000_000 + 20_000 * many
        assert mllp.process.stop() == 0
    assert count(database) == 161


def test_a_low_soft_limit_of_open_files_is_raised(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    with Mllp(environment(address), tmp_path, few_files(128, 1024)) as mllp, idle(mllp.port, 300) as peers:
        assert msa(peers[-1].ask(adt()))[0] == "AA"


def test_where_there_are_few_files_peers_are_turned_away_before_there_are_none(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    with Mllp(environment(address), tmp_path, few_files(128, 128)) as mllp:
        with idle(mllp.port, 200) as peers:
            assert peers[-1].rest() == b"", "turned away"
            assert {msa(peer.ask(adt()))[0] for peer in peers[:20]} == {"AA"}
        assert mllp.process.stop() == 0
        log = mllp.process.output.read_text()
    assert "cannot accept" not in log
    assert "too many connections" in log
    assert log.count("fewer connections than configured") == 1
    assert count(database) == 20
