"""The promise: what was acknowledged has its effect, at least once, in order, under one id.

Every way in of `tests/rigs/doors.py`; real processes, killed for real, and where the broker or the database
goes, one of the test's own. MLLP, bulk requests and deliveries have further moments, in their own modules.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import DatabaseAddress
from tests.rigs.doors import RELAY_POINTS, WEB_POINTS, Door, Open, cases, his, hl7, observations
from tests.rigs.his_ledger import HisPlatform, HisSender, Request, new_patient, new_webhook
from tests.rigs.ledger import Platform, Sender
from tests.rigs.load import Load
from tests.rigs.own_postgres import OwnPostgres
from tests.rigs.processes import Web
from tests.rigs.rabbitmq import OwnRabbitMQ
from tests.rigs.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("door", "point", "call"), cases(WEB_POINTS))
def test_a_web_process_killed_at_its_worst_moment(
    own_database: DatabaseAddress,
    shared_rabbitmq: BrokerAddress,
    tmp_path: Path,
    door: Open,
    point: str,
    call: int,
) -> None:
    with door(own_database, shared_rabbitmq, tmp_path) as way:
        (sender,) = way.senders
        messages = [sender.next_message() for _ in range(6)]
        with way.web(point, str(call)) as deadly:
            taken = [sender.offer(deadly.url, each) for each in messages[:call]]
            assert taken == [True] * (call - 1) + [False]
            assert deadly.process.popen.wait(10) == -9
        with way.web() as web, way.carry():
            assert all(sender.offer(web.url, each) for each in messages[call - 1 :])
            way.agree()
        assert len(sender.acknowledged) == 6 * way.each


@pytest.mark.parametrize(("door", "point", "call"), cases(RELAY_POINTS))
def test_a_relay_killed_at_its_worst_moment(
    own_database: DatabaseAddress,
    shared_rabbitmq: BrokerAddress,
    tmp_path: Path,
    door: Open,
    point: str,
    call: int,
) -> None:
    with door(own_database, shared_rabbitmq, tmp_path, senders=2) as way:
        with way.web() as web:
            for sender in way.senders:
                assert all(sender.offer(web.url, sender.next_message()) for _ in range(10))
        with way.carry(point, str(call)) as deadly:
            assert deadly.popen.wait(30) == -9
        with way.carry():
            way.agree()


def test_with_the_broker_stopped_senders_get_their_ack_and_everything_arrives_later(
    own_database: DatabaseAddress, own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    with hl7(own_database, own_vhost, tmp_path) as way, way.web() as web, way.carry():
        (sender,) = way.senders
        assert sender.offer(web.url, sender.next_message())
        way.agree()
        own_rabbitmq.stop()
        assert all(sender.offer(web.url, sender.next_message()) for _ in range(20))
        assert requests.get(f"{web.url}/running", timeout=1).json() == {"running": True}
        own_rabbitmq.start()
        way.agree()
        assert len(sender.acknowledged) == 21


def test_the_broker_killed_under_load(
    own_database: DatabaseAddress, own_rabbitmq: OwnRabbitMQ, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    with hl7(own_database, own_vhost, tmp_path, senders=4) as way, way.web() as web, way.carry():
        with Load(web.url, way.senders) as load:
            load.more(100)
            own_rabbitmq.kill()
            load.more(100)
            own_rabbitmq.start()
            load.more(100)
        way.agree()


@pytest.mark.parametrize("door", [hl7, his, observations], ids=["HL7", "HIS", "ORU"])
def test_postgresql_killed_under_load(
    own_postgres: OwnPostgres, shared_rabbitmq: BrokerAddress, tmp_path: Path, door: Open
) -> None:
    with (
        door(own_postgres.address, shared_rabbitmq, tmp_path, senders=4) as way,
        way.web() as web,
        way.carry(),
    ):
        with Load(web.url, way.senders) as load:
            for _ in range(2):
                load.more(60)
                own_postgres.kill()
                assert eventually(lambda: _not_ready(web.url))["code"] == 503
                assert requests.get(f"{web.url}/running", timeout=1).ok
                own_postgres.start()
            load.more(60)
        way.agree()


def _not_ready(url: str) -> Any:
    """What /ready answers when it says no; None when it says yes."""
    answer = requests.get(f"{url}/ready", timeout=10)
    return answer.json() if answer.status_code == 503 else None


@pytest.mark.parametrize("door", [hl7, his, observations], ids=["HL7", "HIS", "ORU"])
def test_web_processes_and_carriers_killed_under_load(
    own_database: DatabaseAddress, shared_rabbitmq: BrokerAddress, tmp_path: Path, door: Open
) -> None:
    with door(own_database, shared_rabbitmq, tmp_path, senders=4) as way, way.several() as web:
        with Load(web.url, way.senders) as load:
            for _ in range(3):
                with way.carry(), way.carry():
                    load.more(60)
                    web.kill_a_child()
                    load.more(20)
                load.more(20)  # without any carrier: leaving their block killed them
        with way.carry():
            way.agree()
        assert web.process.stop() == 0


@pytest.mark.parametrize("door", [hl7, his], ids=["HL7", "HIS"])
def test_the_only_web_process_killed_under_load(
    own_database: DatabaseAddress, shared_rabbitmq: BrokerAddress, tmp_path: Path, door: Open
) -> None:
    port = free_port()
    with door(own_database, shared_rabbitmq, tmp_path, senders=4) as way:
        load = Load(f"http://127.0.0.1:{port}", way.senders)
        with load:
            for _ in range(3):  # leaving a block kills what runs in it
                with _only(way, port):
                    with way.carry():
                        load.more(60)
                    load.more(20)
            with _only(way, port):
                load.stop()
        with way.carry():
            way.agree()


def _only(way: Door, port: int) -> Web:
    return Web(way.environ, way.folder, port=port)


def test_copies_from_sixteen_connections_are_accepted_once(
    own_database: DatabaseAddress, shared_rabbitmq: BrokerAddress, tmp_path: Path
) -> None:
    each = 63
    platform = Platform(shared_rabbitmq)
    senders = [Sender("COPY") for _ in range(16)]
    raw = senders[0].next_message()
    with hl7(own_database, shared_rabbitmq, tmp_path) as way, way.several() as web, way.carry():
        with ThreadPoolExecutor(16) as pool:
            taken = pool.map(lambda sender: [sender.offer(web.url, raw) for _ in range(each)], senders)
            assert all(all(several) for several in taken)
        answered = {uuid for sender in senders for uuid in sender.acknowledged}
        assert len(answered) == 1
        eventually(platform.collect)
        assert platform.order == list(answered)
        found = senders[0].session.get(f"{web.url}/dhos/v1/message/{platform.order[0]}", timeout=10).json()
        assert found["repeats"] == 16 * each - 1
        assert web.process.stop() == 0


def test_copies_of_what_a_his_sends_have_one_effect_each(
    own_database: DatabaseAddress, shared_rabbitmq: BrokerAddress, tmp_path: Path
) -> None:
    pairs = 150
    platform, numbers = HisPlatform(shared_rabbitmq), Random(11)
    senders = [HisSender(new_patient) for _ in range(8)]
    offered = [new() for new in [new_patient, new_webhook] * pairs]
    copies = [each for each in offered for _ in range(numbers.randint(1, 5))]
    numbers.shuffle(copies)
    with his(own_database, shared_rabbitmq, tmp_path) as way, way.several() as web, way.carry():
        parts = [copies[number::8] for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            tasks = [pool.submit(_send_all, web.url, *each) for each in zip(senders, parts, strict=True)]
            assert all(task.result() for task in tasks)
        platform.agree(*senders)
    assert sum(platform.effects.values()) == pairs * 4


def _send_all(url: str, sender: HisSender, copies: list[Request]) -> bool:
    """Whether each was answered 200."""
    return all(sender.offer(url, each) for each in copies)
