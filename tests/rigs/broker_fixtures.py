"""Fixtures with real RabbitMQ: a virtual host on the shared server, and a server of the test's own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pika
import pytest

from dhos_connector_api.broker.address import BrokerAddress
from tests.rigs.rabbitmq import OwnRabbitMQ, answers, making_vhosts, programs


@pytest.fixture(scope="session")
def _own_server() -> Iterator[OwnRabbitMQ]:
    found = programs()
    if found is None:
        pytest.skip(
            "NO RABBITMQ-SERVER ON THIS MACHINE: its failures are not tested (install rabbitmq-server)"
        )
    folder = Path(tempfile.mkdtemp(prefix="connector-rabbitmq-"))
    server = OwnRabbitMQ(found, folder)
    try:
        server.start()
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_rabbitmq(_own_server: OwnRabbitMQ) -> OwnRabbitMQ:
    """A running server of our own, healthy at the beginning of each test."""
    _own_server.start()
    return _own_server


@pytest.fixture
def own_vhost(own_rabbitmq: OwnRabbitMQ) -> BrokerAddress:
    """An empty virtual host on the server of our own."""
    return own_rabbitmq.new_vhost()


def _shared_control(*words: str) -> bool:
    program = shutil.which("rabbitmqctl")
    if program is None:
        return False
    return subprocess.run([program, *words], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def _shared_vhost() -> Iterator[BrokerAddress]:
    host = os.environ.get("RABBITMQ_HOST", "127.0.0.1")
    port = int(os.environ.get("RABBITMQ_PORT", "5672"))
    if not answers(BrokerAddress(host, port)):
        pytest.skip(f"NO RABBITMQ AT {host}:{port}: publishing is not tested (rabbitmq-server -detached)")
    name = f"connector-test-{uuid4().hex[:12]}"
    if not _shared_control("eval", making_vhosts([name])):
        pytest.skip("RABBITMQCTL MAY NOT MAKE A VIRTUAL HOST HERE: publishing is not tested")
    try:
        yield BrokerAddress(host, port, name)
    finally:
        _shared_control("delete_vhost", name)


@pytest.fixture
def shared_rabbitmq(_shared_vhost: BrokerAddress) -> Iterator[BrokerAddress]:
    """A virtual host of this worker's own on the shared server, without queues or exchanges of ours."""
    yield _shared_vhost
    connection = pika.BlockingConnection(_shared_vhost.parameters("test"))
    channel = connection.channel()
    for exchange in ("dhos", "dhos-dlx", "dhos-retry"):
        channel.exchange_delete(exchange)
    for queue in ("errors", "retry", *QUEUES):
        channel.queue_delete(queue)
    connection.close()


#: The names tests give their queues; removed after each test.
QUEUES = ("patients", "events", "small", "journeys", "dhos-connector-px")
