"""RabbitMQ over TLS: a real server that asks for a certificate, several hosts, and why it fails."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhos_connector_api.actions.envelope import Outcome
from dhos_connector_api.app.brokers import broker_addresses
from dhos_connector_api.broker.metrics import BROKER_CONNECTED
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.broker.state import BrokerState
from dhos_connector_api.outages import Outage
from tests.builders.outbox import an_envelope
from tests.builders.rows import settings
from tests.rigs.certificates import Authority
from tests.rigs.rabbitmq import OwnRabbitMQ, programs

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own_rabbitmq")]


class Rig:
    """A server with TLS, and the certificates."""

    def __init__(self, folder: Path) -> None:
        found = programs()
        if found is None:
            pytest.skip("NO RABBITMQ-SERVER ON THIS MACHINE: TLS is not tested (install rabbitmq-server)")
        self.authority, self.other = Authority(folder, "ours"), Authority(folder, "theirs")
        server = self.authority.issue("mq.test", "DNS:mq.test", "DNS:localhost")
        self.client = self.authority.issue("connector")
        self.server = OwnRabbitMQ(found, folder, (self.authority.own, server))

    def environ(self, hosts: str = "", **changes: str) -> dict[str, str]:
        """The settings of a client that is let in, with changes; '' takes one away."""
        hosts = hosts or f"localhost:{self.server.tls_port}"
        usual = {
            "RABBITMQ_URL": f"amqps://guest:guest@{hosts}/",
            "RABBITMQ_CA": str(self.authority.own.file),
            "RABBITMQ_CERTIFICATE": str(self.client.file),
            "RABBITMQ_KEY": str(self.client.key),
        }
        return {name: value for name, value in (usual | changes).items() if value}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    folder = Path(tempfile.mkdtemp(prefix="connector-rabbitmq-tls-"))
    made = Rig(folder)
    try:
        made.server.start()
        yield made
    finally:
        made.server.close()
        shutil.rmtree(folder, ignore_errors=True)


def state(environ: dict[str, str]) -> str:
    """What is told of the broker that these settings lead to."""
    return BrokerState(broker_addresses(settings(**environ)))()


def test_envelopes_go_out_over_tls_with_a_certificate_of_ours(rig: Rig) -> None:
    (address,) = broker_addresses(settings(**rig.environ()))
    publisher = Publisher(address)
    assert publisher.ready()
    assert publisher.publish([an_envelope() for _ in range(20)]) == [Outcome.RETURNED] * 20
    assert "true" in rig.server.listed("connections", "ssl")
    publisher.close()


def test_of_several_hosts_the_one_that_is_there_is_found(rig: Rig) -> None:
    hosts = f"localhost:1,nobody.invalid,localhost:{rig.server.tls_port}"
    address, *others = broker_addresses(settings(**rig.environ(hosts)))
    publisher = Publisher(address, others, outage=Outage("RabbitMQ", BROKER_CONNECTED))
    assert publisher.ready()
    publisher.close()


def test_the_name_in_the_certificate_may_be_another_than_the_host(rig: Rig) -> None:
    environ = rig.environ(f"127.0.0.1:{rig.server.tls_port}")
    assert state(environ) == "TLS"
    assert state(environ | {"RABBITMQ_SERVER_NAME": "mq.test"}) == "ok"


def test_what_is_not_trusted_is_told_as_tls(rig: Rig) -> None:
    assert state(rig.environ(RABBITMQ_CA=str(rig.other.own.file))) == "TLS"
    assert state(rig.environ(RABBITMQ_CERTIFICATE="", RABBITMQ_KEY="")) == "TLS"
    stranger = rig.other.issue("stranger")
    files = {"RABBITMQ_CERTIFICATE": str(stranger.file), "RABBITMQ_KEY": str(stranger.key)}
    assert state(rig.environ(**files)) == "TLS"
    with_tls, plain = f"localhost:{rig.server.tls_port}", f"localhost:{rig.server.address().port}"
    assert state(rig.environ(RABBITMQ_URL=f"amqps://guest:CANARY@{with_tls}")) == "login"
    assert state(rig.environ(RABBITMQ_URL=f"amqps://guest:guest@{plain}")) == "TLS"
    assert state({"RABBITMQ_URL": f"amqp://guest:guest@{with_tls}"}) == "TLS"
    assert state({"RABBITMQ_URL": f"amqp://guest:guest@{plain}"}) == "ok"
