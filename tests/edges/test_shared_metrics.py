"""Metrics that processes share, where the disk is full, a process died, and many ask at once."""

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from dhos_connector_api import shared_metrics
from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.workers.exposition import Exposition
from tests.builders.api import WRITE, internal, message_body
from tests.builders.hl7 import adt
from tests.rigs.processes import Web, environment
from tests.rigs.small_disk import fill, small_disk
from tests.rigs.waiting import eventually

#: A process that counts under so many names, and prints what it has counted.
_COUNTS = """
import sys
from dhos_connector_api.metrics import Counter
counter = Counter("test_things", "Things", ["kind"])
for number in range(int(sys.argv[1])):
    counter.labels(f"kind {number}").inc(2)
print(counter.labels("kind 0")._value.get())
"""


def counted(folder: Path, kinds: int) -> str:
    """What a process says that counts with that folder."""
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", _COUNTS, str(kinds)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def shown(folder: Path) -> str:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry).decode()


@pytest.mark.parametrize("kinds", [1, 3000])
def test_a_process_counts_though_the_disk_is_full(tmp_path: Path, kinds: int) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        ballast = fill(disk)
        assert counted(disk, kinds) == "2.0"
        assert shown(disk) == ""
        ballast.unlink()
        assert counted(disk, 1) == "2.0"
        assert 'test_things_total{kind="kind 0"} 2.0' in shown(disk)


def test_a_file_that_cannot_grow_is_left_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "100k") as disk:
        assert counted(disk, 3000) == "2.0"
        assert 'test_things_total{kind="kind 0"} 2.0' in shown(disk)


def test_a_folder_that_is_not_there_is_done_without(tmp_path: Path) -> None:
    assert counted(tmp_path / "gone", 10) == "2.0"


def test_the_counts_of_the_dead_are_kept_in_one_file(tmp_path: Path) -> None:
    for _ in range(5):
        assert counted(tmp_path, 3) == "2.0"
        (file,) = (each for each in tmp_path.glob("counter_*.db") if "dead" not in each.name)
        shared_metrics.bury(int(file.stem.partition("_")[2]), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["counter_dead.db"]
    assert 'test_things_total{kind="kind 2"} 10.0' in shown(tmp_path)


def test_the_counts_of_the_dead_stay_where_there_is_no_room_to_add_them_up(tmp_path: Path) -> None:
    counted(tmp_path, 1)
    (file,) = tmp_path.glob("counter_*.db")
    with small_disk(tmp_path / "disk", "300k") as disk:
        grave = disk / file.name
        grave.write_bytes(file.read_bytes())
        fill(disk)
        shared_metrics.bury(int(file.stem.partition("_")[2]), disk)
        assert 'test_things_total{kind="kind 0"} 2.0' in shown(disk)
        assert grave.exists()


def test_many_that_ask_at_once_ask_the_database_once(database: Database, tmp_path: Path) -> None:
    asked: list[int] = []

    def gauges(*_: object) -> Iterable[Metric]:
        asked.append(1)
        yield GaugeMetricFamily("asked", "How often", len(asked))

    several = [Exposition(database, [gauges], tmp_path) for _ in range(3)]
    with ThreadPoolExecutor(32) as scrapers:
        list(scrapers.map(lambda number: several[number % 3].text(), range(96)))
    assert 1 <= len(asked) <= len(several)


def test_who_shows_no_gauges_takes_none_away_from_those_who_do(database: Database, tmp_path: Path) -> None:
    """`all` has an MLLP port that shows counts alone, beside the port that shows what the database knows."""

    def gauges(*_: object) -> Iterable[Metric]:
        yield GaugeMetricFamily("known", "What the database knows", 1)

    assert b"known" not in Exposition(database, (), tmp_path).text()
    assert b"known 1.0" in Exposition(database, [gauges], tmp_path).text()


@pytest.mark.slow
def test_a_web_process_answers_though_the_disk_of_its_metrics_is_full(
    address: DatabaseAddress, database: Database, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "300k") as disk:
        state = {"TMPDIR": str(disk), "METRICS_PORT": str(free_port())}
        environ = environment(address, **state)
        with Web(environ, tmp_path, ("dhos_connector_api", "serve")) as web:
            fill(disk)
            token = {"Authorization": f"Bearer {internal(WRITE)}"}
            for _ in range(20):
                url, body = f"{web.url}/dhos/v1/message", message_body(adt())
                assert requests.post(url, json=body, headers=token, timeout=10).status_code == 200
            web.kill_a_child()
            eventually(lambda: requests.get(f"{web.url}/running", timeout=1).ok)
            assert requests.post(url, json=message_body(adt()), headers=token, timeout=10).status_code == 200
            assert requests.get(f"http://127.0.0.1:{state['METRICS_PORT']}/metrics", timeout=10).ok
