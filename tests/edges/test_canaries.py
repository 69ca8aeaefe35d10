"""No patient data anywhere it should not be: every field of a message carries a canary."""

import json
from pathlib import Path

import pytest
import requests

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.rigs.ledger import QUEUE, Platform, token
from tests.rigs.processes import Web, environment, rabbitmq, relay
from tests.rigs.rabbitmq import amqp_headers
from tests.rigs.waiting import eventually

_CANARY = "CANARY"


def _message(trigger: str, number: int, **replaced: str) -> bytes:
    """A message with a canary in every field of PID, PV1, MRG, EVN and in the header's people."""
    pid = [f"{_CANARY}-PID-{field}" for field in range(1, 40)]
    pid[2] = f"{_CANARY}-MRN^^^A^MRN~{_CANARY}-NHS^^^NHS^NHS"
    pid[6], pid[28] = "19820305", ""
    visit = [f"{_CANARY}-PV1-{field}" for field in range(1, 52)]
    visit[43], visit[44] = "20260131", ""
    header = f"MSH|^~\\&|EPR|RBH|TIE|DHOS|20260131093000|{_CANARY}-SECURITY|ADT^{trigger}|ID{number}|P|2.3"
    lines = [
        header,
        f"EVN|{trigger}|20260131093000||{_CANARY}-EVN",
        "PID|" + "|".join(pid),
        f"MRG|{_CANARY}-OLD^^^A^MRN",
        "PV1|" + "|".join(visit),
        f"ZZZ|{_CANARY}-Z",
    ]
    text = "\r".join(lines) + "\r"
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text.encode()


_MESSAGES = [
    _message("A01", 1),
    _message("A01", 1),
    _message("A01", 1, EVN="EVX"),
    _message("A40", 2),
    _message("A99", 3),
    _message("A02", 4, PV1=f"{_CANARY}X"),
    _message("A08", 5, **{"19820305": f"{_CANARY}-BIRTH"}),
    _message("A08", 6) + _message("A08", 7),
    _message("A08", 8) + b"NTE|\x00\xff",
    f"{_CANARY} without any segment".encode(),
]
_BODIES = [
    json.dumps({"type": "HL7v2", "body": f"{_CANARY}!!"}),
    json.dumps({"type": _CANARY, "body": ""}),
    json.dumps({"type": "HL7v2", "body": {_CANARY: 1}, _CANARY: 1}),
    "{" + _CANARY,
    json.dumps({"actions": [{"name": _CANARY, "data": {"patient": _CANARY}}]}),
]
_PATHS = [
    f"/dhos/v1/message/{_CANARY}",
    f"/dhos/v1/message/search/{_CANARY}",
    f"/dhos/v1/message/search?identifier_type=MRN&identifier={_CANARY}-NOBODY&before={_CANARY}",
    f"/dhos/v1/message/search?identifier_type={_CANARY}&identifier={_CANARY}",
    f"/{_CANARY}",
]


@pytest.mark.parametrize("style", ["json", "plain"])
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
        for raw in _MESSAGES:
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
            errors.append(session.get(web.url + path, headers={"Authorization": f"Bearer {_CANARY}"}).text)
        headers = eventually(lambda: amqp_headers(shared_rabbitmq, QUEUE, at_least=2))
        metrics = requests.get(f"{web.url}/metrics", timeout=10).text
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert "message received" in logs
    assert "connector_messages_received_total" in metrics
    for place in (logs, metrics, headers, *errors):
        assert _CANARY not in place
        assert secret not in place


def _post(session: requests.Session, url: str, raw: bytes, errors: list[str]) -> None:
    answer = session.post(f"{url}/dhos/v1/message", data=raw, headers={"Content-Type": "application/hl7-v2"})
    assert answer.status_code in (200, 400)
    if answer.status_code != 200:
        errors.append(answer.text)
