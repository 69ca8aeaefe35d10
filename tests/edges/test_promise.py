"""The promise: what was acknowledged is published, at least once, in order, under one id.

Real processes, a RabbitMQ and a database of the test's own, killed for real.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import DatabaseAddress
from tests.rigs.ledger import Platform, Sender
from tests.rigs.load import Load
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Web, environment, migrated, rabbitmq, relay
from tests.rigs.rabbitmq import OwnRabbitMQ
from tests.rigs.waiting import eventually

KILL = "tests.rigs.kill_points"


@pytest.fixture
def environ(own_database: DatabaseAddress, own_vhost: BrokerAddress, tmp_path: Path) -> dict[str, str]:
    """The environment of a Connector with a database and a virtual host of its own, migrated."""
    return _migrated(own_database, own_vhost, tmp_path)


def _migrated(database: DatabaseAddress, broker: BrokerAddress, tmp_path: Path) -> dict[str, str]:
    values = environment(
        database,
        **rabbitmq(broker),
    )
    return migrated(values, tmp_path)


@pytest.mark.parametrize("point", ["read, not stored", "committed, not answered"])
def test_a_web_process_killed_at_its_worst_moment(
    environ: dict[str, str], own_vhost: BrokerAddress, tmp_path: Path, point: str
) -> None:
    platform, sender = Platform(own_vhost), Sender("KILLED")
    messages = [sender.next_message() for _ in range(6)]
    with Web(environ, tmp_path, (KILL, point, "4", "web")) as deadly:
        taken = [sender.offer(deadly.url, raw) for raw in messages[:4]]
        assert taken == [True, True, True, False]
        assert deadly.process.popen.wait(10) == -9
    with Web(environ, tmp_path) as web, relay(environ, tmp_path):
        assert all(sender.offer(web.url, raw) for raw in messages[3:])
        platform.agree(sender)
    assert len(platform.ids) == 6


@pytest.mark.parametrize("point", ["published, not confirmed", "confirmed, not settled"])
def test_a_relay_killed_at_its_worst_moment(
    environ: dict[str, str], own_vhost: BrokerAddress, tmp_path: Path, point: str
) -> None:
    platform, senders = Platform(own_vhost), [Sender("A"), Sender("B")]
    with Web(environ, tmp_path) as web:
        for sender in senders:
            assert all(sender.offer(web.url, sender.next_message()) for _ in range(10))
        with relay(environ, tmp_path, KILL, point, "1") as deadly:
            assert deadly.popen.wait(30) == -9
        with relay(environ, tmp_path):
            platform.agree(*senders)


def test_with_the_broker_stopped_senders_get_their_ack_and_everything_arrives_later(
    environ: dict[str, str], own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    platform, sender = Platform(own_vhost), Sender("PATIENT")
    with Web(environ, tmp_path) as web, relay(environ, tmp_path):
        assert sender.offer(web.url, sender.next_message())
        platform.agree(sender)
        own_rabbitmq.stop()
        assert all(sender.offer(web.url, sender.next_message()) for _ in range(20))
        assert requests.get(f"{web.url}/running", timeout=1).json() == {"running": True}
        own_rabbitmq.start()
        platform.agree(sender)
    assert len(platform.ids) == 21


def _senders() -> list[Sender]:
    return [Sender(f"LOAD{index}") for index in range(4)]


def test_the_broker_killed_under_load(
    environ: dict[str, str], own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    platform, senders = Platform(own_vhost), _senders()
    with Web(environ, tmp_path) as web, relay(environ, tmp_path):
        with Load(web.url, senders) as load:
            load.more(100)
            own_rabbitmq.kill()
            load.more(100)
            own_rabbitmq.start()
            load.more(100)
        platform.agree(*senders)


def test_postgresql_killed_under_load(
    own_postgres: OwnPostgres, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    environ = _migrated(own_postgres.address, own_vhost, tmp_path)
    platform, senders = Platform(own_vhost), _senders()
    with Web(environ, tmp_path) as web, relay(environ, tmp_path):
        with Load(web.url, senders) as load:
            for _ in range(2):
                load.more(60)
                own_postgres.kill()
                assert eventually(lambda: _not_ready(web.url))["code"] == 503
                assert requests.get(f"{web.url}/running", timeout=1).ok
                own_postgres.start()
            load.more(60)
        platform.agree(*senders)


def _not_ready(url: str) -> Any:
    """What /ready answers when it says no; None when it says yes."""
    answer = requests.get(f"{url}/ready", timeout=10)
    return answer.json() if answer.status_code == 503 else None


def test_web_and_relay_killed_under_load(
    environ: dict[str, str], own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    platform, senders = Platform(own_vhost), _senders()
    service = environ | {"WEB_PROCESSES": "2"}
    web = Web(service, tmp_path, ("dhos_connector_api", "serve"))
    with web:
        with Load(web.url, senders) as load:
            for _ in range(3):
                with relay(environ, tmp_path):
                    load.more(60)
                    web.kill_a_child()
                load.more(20)  # without any relay: leaving its block killed it
        with relay(environ, tmp_path):
            platform.agree(*senders)
        assert web.process.stop() == 0


def test_a_thousand_copies_from_sixteen_connections_are_accepted_once(
    environ: dict[str, str], own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    platform = Platform(own_vhost)
    senders = [Sender("COPY") for _ in range(16)]
    raw = senders[0].next_message()
    service = environ | {"WEB_PROCESSES": "2"}
    with Web(service, tmp_path, ("dhos_connector_api", "serve")) as web, relay(environ, tmp_path):
        with ThreadPoolExecutor(16) as pool:
            taken = pool.map(lambda sender: [sender.offer(web.url, raw) for _ in range(63)], senders)
            assert all(all(each) for each in taken)
        answered = {uuid for sender in senders for uuid in sender.acknowledged}
        assert len(answered) == 1
        eventually(platform.collect)
        assert platform.order == list(answered)
        found = senders[0].session.get(f"{web.url}/dhos/v1/message/{platform.order[0]}", timeout=10).json()
        assert found["repeats"] == 16 * 63 - 1
        assert web.process.stop() == 0
