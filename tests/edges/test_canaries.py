"""No patient data anywhere it should not be: every field of a message carries a canary."""

import json
from pathlib import Path

import pytest
import requests

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.canaries import CANARY, MESSAGES
from tests.rigs.ledger import QUEUE, Platform, token
from tests.rigs.processes import Web, environment, rabbitmq, relay
from tests.rigs.rabbitmq import amqp_headers
from tests.rigs.waiting import eventually

_BODIES = [
    json.dumps({"type": "HL7v2", "body": f"{CANARY}!!"}),
    json.dumps({"type": CANARY, "body": ""}),
    json.dumps({"type": "HL7v2", "body": {CANARY: 1}, CANARY: 1}),
    "{" + CANARY,
    json.dumps({"actions": [{"name": CANARY, "data": {"patient": CANARY}}]}),
]
_PATHS = [
    f"/dhos/v1/message/{CANARY}",
    f"/dhos/v1/message/search/{CANARY}",
    f"/dhos/v1/message/search?identifier_type=MRN&identifier={CANARY}-NOBODY&before={CANARY}",
    f"/dhos/v1/message/search?identifier_type={CANARY}&identifier={CANARY}",
    f"/{CANARY}",
]


@pytest.mark.parametrize("style", ["json", pytest.param("plain", marks=pytest.mark.slow)])
def test_no_canary_reaches_a_log_a_metric_an_error_or_an_amqp_header(
    address: DatabaseAddress,
    database: Database,
    shared_rabbitmq: BrokerAddress,
    tmp_path: Path,
    style: str,
) -> None:

    environ = environment(
        address,
        **rabbitmq(shared_rabbitmq),
        LOG_FORMAT=style,
        LOG_LEVEL="DEBUG",
    )
    Platform(shared_rabbitmq)
    secret = token()
    errors: list[str] = []
    with (
        Web(environ, tmp_path) as web,
        relay(environ, tmp_path),
    ):
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {secret}"
        for raw in MESSAGES:
            _post(session, web.url, raw, errors)
        for body in _BODIES:
            for path in ("message", "oru_message", "cda_message"):
                answer = session.post(
                    f"{web.url}/dhos/v1/{path}", data=body, headers={"Content-Type": "application/json"}
                )
                errors.append(answer.text)
        for path in _PATHS:
            answer = session.get(web.url + path)
            if answer.status_code != 200:
                errors.append(answer.text)
            errors.append(session.get(web.url + path, headers={"Authorization": f"Bearer {CANARY}"}).text)
        headers = eventually(lambda: amqp_headers(shared_rabbitmq, QUEUE, at_least=2))
        metrics = requests.get(f"{web.url}/metrics", timeout=10).text
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert "message received" in logs
    assert "connector_messages_received_total" in metrics
    for place in (logs, metrics, headers, *errors):
        assert CANARY not in place
        assert secret not in place


def _post(session: requests.Session, url: str, raw: bytes, errors: list[str]) -> None:
    answer = session.post(f"{url}/dhos/v1/message", data=raw, headers={"Content-Type": "application/hl7-v2"})
    assert answer.status_code in (200, 400)
    if answer.status_code != 200:
        errors.append(answer.text)
