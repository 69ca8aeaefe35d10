"""The consumer in the README, run as it stands there against a real RabbitMQ."""

import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from dhos_connector_api.actions.envelope import LEGACY_ROUTING_KEY, Envelope, Outcome
from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.broker.publisher import Publisher
from tests.rigs.processes import ROOT
from tests.rigs.waiting import eventually


def _program(address: BrokerAddress) -> str:
    """The README's Python, with the test's own RabbitMQ in the place of `localhost`."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found
    parameters = (
        f'"{address.host}", {address.port}, "{address.vhost}",'
        f' pika.PlainCredentials("{address.username}", "{address.password}")'
    )
    assert found[1].count('"localhost"') == 1
    return found[1].replace('"localhost"', parameters)


def test_the_readme_s_consumer_applies_an_envelope_once(own_vhost: BrokerAddress, tmp_path: Path) -> None:
    program = tmp_path / "consumer.py"
    program.write_text(_program(own_vhost))
    body = b'{"actions": [{"name": "process_patient", "data": {"mrn": "1", "last_name": "OTTER"}}]}'
    one, other = (Envelope(uuid4(), LEGACY_ROUTING_KEY, body, "request") for _ in range(2))
    publisher = Publisher(own_vhost, name="test", keep_waiting=lambda: True)
    with (tmp_path / "output").open("wb") as output:
        consumer = subprocess.Popen([sys.executable, "-u", str(program)], stdout=output, stderr=output)
    try:
        eventually(publisher.ready)
        eventually(lambda: list(publisher.publish([one])) == [Outcome.CONFIRMED])  # once its queue is bound
        publisher.publish([one])
        publisher.publish([other])
        said = "process_patient ['last_name', 'mrn']\n"
        eventually(lambda: (tmp_path / "output").read_text() == said * 2)
    finally:
        consumer.kill()
        consumer.wait()
        publisher.close()
