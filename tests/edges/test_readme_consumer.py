"""The consumer in the README, run as it stands there: a fresh RabbitMQ, a real web process and relay."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import requests

from dhos_connector_api.actions.envelope import LEGACY_ROUTING_KEY, Envelope, Outcome, body
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.publisher import Publisher
from dhos_connector_api.db.engine import DatabaseAddress
from tests.builders.api import READ, WRITE, internal, message_body
from tests.builders.hl7 import adt
from tests.rigs.processes import ROOT, Web, environment, rabbitmq, relay
from tests.rigs.waiting import eventually

TOKEN = internal(WRITE, READ)


def _program(address: BrokerAddress, url: str) -> str:
    """The README's Python, with the test's own RabbitMQ and Connector in the place of `localhost`."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found
    parameters = (
        f'"{address.host}", {address.port}, "{address.vhost}",'
        f' pika.PlainCredentials("{address.username}", "{address.password}")'
    )
    assert found[1].count('"localhost"') == found[1].count("http://localhost:5000") == 1
    return found[1].replace('"localhost"', parameters).replace("http://localhost:5000", url)


@contextmanager
def _consuming(program: str, folder: Path) -> Iterator[Path]:
    """Run the consumer; yield the file with what it printed."""
    (folder / "consumer.py").write_text(program)
    with (folder / "output").open("wb") as output:
        consumer = subprocess.Popen(
            [sys.executable, "-u", str(folder / "consumer.py")],
            env=os.environ | {"TOKEN": TOKEN}, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield folder / "output"
    finally:
        consumer.kill()
        consumer.wait()


def test_the_readme_s_consumer_applies_an_envelope_once_and_says_that_it_is_done(
    own_database: DatabaseAddress, own_vhost: BrokerAddress, tmp_path: Path
) -> None:
    environ = environment(own_database, **rabbitmq(own_vhost))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with Web(environ, tmp_path) as web, _consuming(_program(own_vhost, web.url), tmp_path) as output:
        messages = f"{web.url}/dhos/v1/message"
        with relay(environ, tmp_path):
            answer = requests.post(
                messages, json=message_body(adt("A03")), headers=headers, timeout=10
            ).json()
            message = f"{messages}/{answer['uuid']}"
            eventually(lambda: requests.get(message, headers=headers, timeout=10).json()["is_processed"])
        _publish_twice(own_vhost, answer["uuid"])
        eventually(lambda: "process_patient ['last']" in output.read_text())
        said = output.read_text().splitlines()
    assert [line.partition(" ")[0] for line in said[:4]] == [
        *("process_patient", "process_location", "process_encounter", "process_event")
    ]
    assert said[4:] == ["process_patient ['twice']", "process_patient ['last']"]


def _publish_twice(broker: BrokerAddress, message_uuid: str) -> None:
    """Publish one envelope of that message twice, and after it another one."""
    twice, last = (_envelope(message_uuid, key) for key in ("twice", "last"))
    publisher = Publisher(broker, name="test", keep_waiting=lambda: True)
    try:
        eventually(publisher.ready)
        assert set(publisher.publish([twice, twice, last])) == {Outcome.CONFIRMED}
    finally:
        publisher.close()


def _envelope(message_uuid: str, key: str) -> Envelope:
    actions = [{"name": "process_patient", "data": {key: "1"}}]
    return Envelope(uuid4(), LEGACY_ROUTING_KEY, body(UUID(message_uuid), actions), "request")
