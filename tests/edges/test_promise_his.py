"""The promise at the HIS's doors: what was answered 200 has its effect, once. Processes killed for real."""

import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
import requests
from sqlalchemy import create_engine, text

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import DatabaseAddress
from tests.builders.his import HIS_SECRET, SITE_FILE
from tests.rigs.his_ledger import HisPlatform, HisSender, Request, Told, new_patient, new_webhook
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Web, environment, migrated, rabbitmq, relay
from tests.rigs.waiting import eventually

KILL = "tests.rigs.kill_points"


@pytest.fixture
def environ(own_database: DatabaseAddress, own_vhost: BrokerAddress, tmp_path: Path) -> dict[str, str]:
    """The environment of a Connector with a database, a virtual host and a site of its own, migrated."""
    return _migrated(own_database, own_vhost, tmp_path)


def _migrated(database: DatabaseAddress, broker: BrokerAddress, folder: Path) -> dict[str, str]:
    site = folder / "site.toml"
    site.write_text(SITE_FILE)
    values = environment(database, **rabbitmq(broker), SITE_CONFIG=str(site), HIS_WEBHOOK_SECRET=HIS_SECRET)
    return migrated(values, folder)


@pytest.mark.parametrize(
    ("point", "new"),
    [
        ("HIS payload read, not stored", new_patient),
        ("HIS payload stored, not committed", new_patient),
        ("committed, not answered", new_patient),
        ("webhook verified, not stored", new_webhook),
        ("webhook committed, not counted", new_webhook),
        ("committed, not answered", new_webhook),
    ],
)
def test_a_web_process_killed_at_its_worst_moment(
    environ: dict[str, str],
    own_vhost: BrokerAddress,
    tmp_path: Path,
    point: str,
    new: Callable[[], Request],
) -> None:
    platform, sender = HisPlatform(own_vhost), HisSender()
    offered = [new() for _ in range(6)]
    with Web(environ, tmp_path, (KILL, point, "4", "web")) as deadly:
        assert [sender.offer(deadly.url, each) for each in offered[:4]] == [True, True, True, False]
        assert deadly.process.popen.wait(10) == -signal.SIGKILL
    with Web(environ, tmp_path) as web, relay(environ, tmp_path):
        assert all(sender.offer(web.url, each) for each in offered[3:])
        platform.agree(sender)


@pytest.mark.parametrize("point", ["published, not confirmed", "confirmed, not settled"])
def test_a_relay_killed_at_its_worst_moment(
    environ: dict[str, str], own_vhost: BrokerAddress, tmp_path: Path, point: str
) -> None:
    platform, sender = HisPlatform(own_vhost), HisSender()
    with Web(environ, tmp_path) as web:
        assert all(sender.offer(web.url, new()) for new in [new_patient, new_webhook] * 5)
        with relay(environ, tmp_path, KILL, point, "1") as deadly:
            assert deadly.popen.wait(30) == -signal.SIGKILL
        with relay(environ, tmp_path):
            platform.agree(sender)


class _Load:
    """HIS that send, each until it is answered, while the test breaks things. `url` is where to."""

    def __init__(self) -> None:
        self.senders = [HisSender() for _ in range(4)]
        self.url = "http://127.0.0.1:1"
        self.stop = threading.Event()

    def run(self, sender: HisSender, new: Callable[[], Request]) -> None:
        while not self.stop.is_set():
            request = new()
            eventually(lambda: sender.offer(self.url, request), seconds=60)  # noqa: B023  used within this turn

    def more(self, number: int) -> None:
        """Wait until that many more events are promised."""
        goal = self.total() + number
        eventually(lambda: self.total() >= goal, seconds=60)

    def total(self) -> int:
        return sum(len(each.told) for each in self.senders)


def test_web_and_relay_killed_under_load(
    environ: dict[str, str], own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    platform, load = HisPlatform(own_vhost), _Load()
    kinds = [new_patient, new_webhook] * 2
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(load.run, sender, new) for sender, new in zip(load.senders, kinds, strict=True)]
        for _ in range(3):  # leaving a block kills what runs in it
            with Web(environ, tmp_path) as web:
                load.url = web.url
                with relay(environ, tmp_path):
                    load.more(60)
                load.more(20)
        with Web(environ, tmp_path) as web:
            load.url = web.url
            load.stop.set()
            for task in tasks:
                task.result()
    with relay(environ, tmp_path):
        platform.agree(*load.senders)


def test_postgresql_killed_under_load(
    own_postgres: OwnPostgres, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    environ = _migrated(own_postgres.address, own_vhost, tmp_path)
    platform, load = HisPlatform(own_vhost), _Load()
    kinds = [new_patient, new_webhook] * 2
    with Web(environ, tmp_path) as web, relay(environ, tmp_path), ThreadPoolExecutor(4) as pool:
        load.url = web.url
        tasks = [pool.submit(load.run, sender, new) for sender, new in zip(load.senders, kinds, strict=True)]
        for _ in range(2):
            load.more(60)
            own_postgres.kill()
            eventually(lambda: requests.get(f"{web.url}/ready", timeout=10).status_code == 503)
            own_postgres.start()
        load.more(60)
        load.stop.set()
        for task in tasks:
            task.result()
        platform.agree(*load.senders)
        assert _stored(own_postgres.address) == platform.effects


def _stored(database: DatabaseAddress) -> Counter[Told]:
    """The events that are kept, each with its encounter and its code."""
    engine = create_engine(database.url())
    with engine.connect() as connection:
        found = connection.execute(text("SELECT encounter_id, canonical_code FROM integration_event"))
        kept = Counter((encounter, code) for encounter, code in found)
    engine.dispose()
    return kept


def test_copies_over_several_connections_have_one_effect_each(
    environ: dict[str, str], own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    platform, senders, numbers = HisPlatform(own_vhost), [HisSender() for _ in range(8)], Random(11)
    offered = [new() for new in [new_patient, new_webhook] * 150]
    copies = [each for each in offered for _ in range(numbers.randint(1, 5))]
    numbers.shuffle(copies)
    service = environ | {"WEB_PROCESSES": "2"}
    with Web(service, tmp_path, ("dhos_connector_api", "serve")) as web, relay(environ, tmp_path):
        parts = [copies[number::8] for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            tasks = [pool.submit(_send_all, web.url, *each) for each in zip(senders, parts, strict=True)]
            assert all(task.result() for task in tasks)
        platform.agree(*senders)
    assert sum(platform.effects.values()) == 150 * 4


def _send_all(url: str, sender: HisSender, copies: list[Request]) -> bool:
    """Whether each was answered 200."""
    return all(sender.offer(url, each) for each in copies)
