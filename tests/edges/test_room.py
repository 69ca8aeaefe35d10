"""What a full queue refused is not copied to others again, where the management API can be asked."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pika
import pytest
from sqlalchemy import text

from dhos_connector_api.actions.envelope import LEGACY_ROUTING_KEY
from dhos_connector_api.app.brokers import broker_management
from dhos_connector_api.app.doctor import findings
from dhos_connector_api.broker import topology
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.consumer import Consumer
from dhos_connector_api.broker.management import Management, ManagementAway
from dhos_connector_api.broker.room import look
from dhos_connector_api.causes import Cause
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.outbox import search
from tests.builders.outbox import put
from tests.builders.rows import settings
from tests.rigs.processes import Process
from tests.rigs.rabbitmq import OwnRabbitMQ, programs
from tests.rigs.relay_process import environment
from tests.rigs.waiting import eventually, throughout

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own_rabbitmq")]


@pytest.fixture(scope="module")
def server() -> Iterator[OwnRabbitMQ]:
    """A server of our own with the management API."""
    found = programs()
    if found is None:
        pytest.skip(
            "NO RABBITMQ-SERVER ON THIS MACHINE: full queues are not tested (install rabbitmq-server)"
        )
    folder = Path(tempfile.mkdtemp(prefix="connector-rabbitmq-managed-"))
    made = OwnRabbitMQ(found, folder, managed=True)
    try:
        made.start()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def vhost(server: OwnRabbitMQ) -> BrokerAddress:
    server.start()
    return server.new_vhost()


def _url(server: OwnRabbitMQ) -> str:
    return f"http://127.0.0.1:{server.management_port}"


class Scene:
    """One exchange, a queue with room and one that refuses when full, and a relay between."""

    def __init__(self, vhost: BrokerAddress, database: Database, arguments: dict[str, object]) -> None:
        self.database = database
        self.connection = pika.BlockingConnection(vhost.parameters("test"))
        self.channel = self.connection.channel()
        self.channel.exchange_declare(topology.EXCHANGE, "topic", durable=True)
        for name, more in (("patients", {}), ("small", arguments)):
            self.channel.queue_declare(name, durable=True, arguments={**more})
            self.channel.queue_bind(name, topology.EXCHANGE, "dhos.#")

    def fill(self, *bodies: bytes) -> None:
        self.channel.confirm_delivery()
        for body in bodies:
            self.channel.basic_publish("", "small", body)

    def taken(self, queue: str) -> list[UUID]:
        """What is in the queue by now, acknowledged."""
        found = []
        while (got := self.channel.basic_get(queue, auto_ack=True))[0] is not None:
            if got[1].message_id:
                found.append(UUID(got[1].message_id))
        return found

    def put(self, count: int, sender: str = "EPR") -> list[UUID]:
        with self.database.transaction() as connection:
            return put(connection, count, sender=sender)

    def tried(self) -> int:
        with self.database.statements() as connection:
            return int(connection.execute(text("SELECT coalesce(max(attempts), 0) FROM outbox")).scalar_one())

    def waiting(self) -> int:
        with self.database.statements() as connection:
            return sum(each.waiting for each in search.depth_and_age(connection))


@contextmanager
def _scene(vhost: BrokerAddress, database: Database, arguments: dict[str, object]) -> Iterator[Scene]:
    made = Scene(vhost, database, arguments)
    try:
        yield made
    finally:
        made.connection.close()


@contextmanager
def _relay(address: DatabaseAddress, vhost: BrokerAddress, folder: Path, **more: str) -> Iterator[Process]:
    environ = environment(address, vhost, "relay", **more)
    with Process(["tests.rigs.relay_process"], environ, folder / "relay.log") as process:
        yield process


def _full(kind: str) -> dict[str, object]:
    return {
        "length": {"x-max-length": 20, "x-overflow": "reject-publish"},
        "bytes": {"x-max-length-bytes": 2000, "x-overflow": "reject-publish"},
        "quorum": {"x-max-length": 20, "x-overflow": "reject-publish", "x-queue-type": "quorum"},
    }[kind]


@pytest.mark.parametrize("kind", ["length", "bytes", "quorum"])
def test_a_full_queue_gives_the_others_one_copy_and_one_more_once_it_has_room(
    server: OwnRabbitMQ,
    vhost: BrokerAddress,
    database: Database,
    address: DatabaseAddress,
    tmp_path: Path,
    kind: str,
) -> None:
    with _scene(vhost, database, _full(kind)) as scene:
        scene.fill(*[b"x" * 100] * (21 if kind == "quorum" else 20))
        ids = scene.put(3)
        with _relay(address, vhost, tmp_path, RELAY_ASKS=_url(server)) as relay:
            eventually(lambda: scene.tried() >= 1)
            throughout(lambda: scene.tried() == 1, seconds=30)
            assert Counter(scene.taken("patients")) == dict.fromkeys(ids, 1)
            assert "this queue is full" in relay.output.read_text()
            scene.channel.queue_purge("small")
            eventually(lambda: scene.waiting() == 0, seconds=30)
        assert scene.taken("small") == ids
        assert max(Counter(scene.taken("patients")).values()) == 1


def test_another_routing_key_goes_on_meanwhile(
    server: OwnRabbitMQ, vhost: BrokerAddress, database: Database, address: DatabaseAddress, tmp_path: Path
) -> None:
    with _scene(vhost, database, _full("length")) as scene:
        scene.channel.queue_unbind("small", topology.EXCHANGE, "dhos.#")
        scene.channel.queue_bind("small", topology.EXCHANGE, LEGACY_ROUTING_KEY)
        scene.fill(*[b"x"] * 20)
        scene.put(1)
        with _relay(address, vhost, tmp_path, RELAY_ASKS=_url(server)):
            eventually(lambda: scene.tried() >= 1)
            with database.transaction() as connection:
                put(connection, 50, sender="LAB", routing_key="dhos.other")
            eventually(lambda: scene.waiting() == 1, seconds=5)


@pytest.mark.parametrize("wrong", ["away", "login"])
def test_an_api_that_cannot_be_asked_leaves_the_pauses_as_they_were(
    server: OwnRabbitMQ,
    vhost: BrokerAddress,
    database: Database,
    address: DatabaseAddress,
    tmp_path: Path,
    wrong: str,
) -> None:
    with _scene(vhost, database, _full("length")) as scene:
        scene.fill(*[b"x"] * 20)
        ids = scene.put(1)
        asks = {"away": {"RELAY_ASKS": "http://127.0.0.1:1"}}.get(
            wrong, {"RELAY_ASKS": _url(server), "RELAY_PASSWORD": "CANARYWORD"}
        )
        with _relay(address, vhost, tmp_path, **asks) as relay:
            eventually(lambda: scene.tried() >= 2)
            throughout(lambda: scene.tried() == 2, seconds=8)
            log = relay.output.read_text()
        assert scene.taken("patients") == ids * 2
        told = [line for line in log.splitlines() if "management API cannot be used" in line]
        assert len(told) == 1
        assert "127.0.0.1" in told[0]
        assert {"away": "refused", "login": "login"}[wrong] in told[0]
        assert "CANARY" not in log


def test_bindings_policies_and_counts_are_found(
    server: OwnRabbitMQ, vhost: BrokerAddress, database: Database
) -> None:
    with _scene(vhost, database, {}) as scene:
        scene.channel.exchange_declare("behind", "fanout")
        scene.channel.exchange_bind("behind", topology.EXCHANGE, "*.24891000000101")
        scene.channel.queue_declare("by policy/1")
        scene.channel.queue_bind("by policy/1", "behind", "")
        policy = '{"max-length": 3, "overflow": "reject-publish"}'
        server.control("set_policy", "-p", vhost.vhost, "limit", "^by policy", policy, "--apply-to", "queues")
        scene.channel.basic_publish("", "by policy/1", b"1")
        reached = look(Management(_url(server), vhost.vhost, "guest", "guest"), [vhost])
        found = eventually(lambda: [each for each in reached(LEGACY_ROUTING_KEY) if each.ready])
        assert [(each.name, each.limits.length, each.ready, each.is_counted) for each in found] == [
            ("by policy/1", 3, 1, True)
        ]
        assert [each.name for each in reached("other.key")] == []


def test_what_is_wrong_with_the_api_is_found_before_a_queue_is_full(
    server: OwnRabbitMQ, vhost: BrokerAddress
) -> None:
    def found(**changes: str) -> tuple[str, bool]:
        usual = {
            "RABBITMQ_HOST": vhost.host, "RABBITMQ_PORT": str(vhost.port), "RABBITMQ_VHOST": vhost.vhost,
            "RABBITMQ_MANAGEMENT_URL": _url(server), "DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": "1",
        }  # fmt: skip
        _, about, *_ = findings(settings(**usual | changes))
        assert about.subject == "RabbitMQ's management API"
        return about.text, about.is_well

    assert found() == ("answers", True)
    wrong = _url(server).replace("//", "//guest:CANARY@")
    assert found(RABBITMQ_MANAGEMENT_URL=wrong) == ("cannot be used: login", False)
    assert found(RABBITMQ_VHOST="nothing")[1] is False
    management = broker_management(settings(RABBITMQ_HOST="mq", RABBITMQ_MANAGEMENT_URL="http://127.0.0.1:1"))
    assert management is not None
    with pytest.raises(ManagementAway) as caught:
        management.reached("dhos", LEGACY_ROUTING_KEY)
    assert caught.value.fault.cause is Cause.REFUSED


def test_a_consumer_that_goes_on_gets_all(
    server: OwnRabbitMQ, vhost: BrokerAddress, database: Database, address: DatabaseAddress, tmp_path: Path
) -> None:
    """A queue that is emptied little by little: nothing is lost, and the others get few copies."""
    with _scene(vhost, database, _full("length")) as scene:
        ids = scene.put(60)
        small = Consumer(vhost, "small", [LEGACY_ROUTING_KEY], arguments=_full("length"), prefetch=1)
        got: list[UUID] = []

        def drained() -> bool:
            delivery = small.receive(0.5)
            if delivery is not None:
                small.acknowledge(delivery)
                got.append(UUID(delivery.message_id))
            return scene.waiting() == 0

        with _relay(address, vhost, tmp_path, RELAY_ASKS=_url(server)):
            eventually(drained, seconds=120)
        small.close()  # what it was handed and did not take goes back to the front
        got += scene.taken("small")
        assert list(dict.fromkeys(got)) == ids
        assert max(Counter(scene.taken("patients")).values()) <= 3
