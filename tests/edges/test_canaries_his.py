"""No patient data and no secret where it should not be: every field sent by a HIS has a canary."""

from pathlib import Path
from typing import Any

import pytest
import requests

from dhos_connector_api.broker.address import BrokerAddress
from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.canaries import CANARY
from tests.builders.his import (
    HIS_SECRET,
    SITE_FILE,
    STANDARD_SECRET,
    WRITE_HIS,
    payload,
    raw_of,
    signed_headers,
    standard_headers,
    stay,
    visit,
    webhook,
)
from tests.rigs.his_ledger import PATIENT_DATA, QUEUE, WEBHOOK, HisPlatform
from tests.rigs.ledger import token
from tests.rigs.processes import Web, environment, rabbitmq, relay
from tests.rigs.rabbitmq import amqp_headers
from tests.rigs.waiting import eventually


def _stay(**changes: Any) -> dict[str, Any]:
    """An entry with a canary wherever a text is free."""
    fixed = ("HospitalID", "HospitalName", "AdmitDate", "DischargeDate", "DOB")
    return {name: value if name in fixed else f"{CANARY}-{name}" for name, value in stay().items()} | changes


PAYLOADS = [
    raw_of(each)
    for each in (
        payload(_stay(), visits=[visit(f"{CANARY}-TYPE"), visit("Consultation")], Status=CANARY),
        payload(_stay(DOB=CANARY, AdmitDate=CANARY, DischargeDate=CANARY)),
        payload(_stay(HospitalID={CANARY: 1}), visits=[{CANARY: CANARY}]),
        payload(_stay(PatientID=f"{CANARY}2", AdmissionID="x"), _stay(), visits=[visit(PatientID=CANARY)]),
        {"FetchPatientDataTimeStampList": [{CANARY: CANARY}], CANARY: CANARY},
        CANARY,
    )
] + [b"{" + CANARY.encode(), b"\xff" + CANARY.encode()]
WEBHOOKS = [
    raw_of(each)
    for each in (
        webhook(event_id=CANARY, patient_code=CANARY, visit_id=CANARY, data={CANARY: CANARY}),
        webhook(event=CANARY, event_id=f"{CANARY}-2"),
        webhook(occurred_at=CANARY),
        webhook(event_id=[CANARY], data=CANARY),
        {CANARY: CANARY},
    )
] + [b"{" + CANARY.encode()]


@pytest.mark.parametrize("style", ["json", pytest.param("plain", marks=pytest.mark.slow)])
def test_no_canary_and_no_secret_reaches_a_log_a_metric_an_error_or_an_amqp_header(
    address: DatabaseAddress,
    database: Database,
    shared_rabbitmq: BrokerAddress,
    tmp_path: Path,
    style: str,
) -> None:
    (tmp_path / "site.toml").write_text(SITE_FILE)
    environ = environment(
        address,
        **rabbitmq(shared_rabbitmq),
        SITE_CONFIG=str(tmp_path / "site.toml"),
        HIS_WEBHOOK_SECRET=HIS_SECRET,
        HIS_WEBHOOK_SECRET_PREVIOUS=STANDARD_SECRET,
        LOG_FORMAT=style,
        LOG_LEVEL="DEBUG",
    )
    HisPlatform(shared_rabbitmq)
    errors: list[str] = []
    with (
        Web(environ, tmp_path) as web,
        relay(environ, tmp_path),
    ):
        secret = token(WRITE_HIS)
        for request in _requests(secret):
            answer = requests.post(web.url + request[0], data=request[1], headers=request[2], timeout=10)
            assert answer.status_code in (200, 400, 401)
            if answer.status_code != 200:
                errors.append(answer.text)
        headers = eventually(lambda: amqp_headers(shared_rabbitmq, QUEUE, at_least=3))
        metrics = requests.get(f"{web.url}/metrics", timeout=10).text
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert "HIS payload received" in logs
    assert "webhook received" in logs
    assert 'connector_webhooks_total{outcome="bad_signature",source="his"}' in metrics
    for place in (logs, metrics, headers, *errors):
        for never in (CANARY, secret, HIS_SECRET, STANDARD_SECRET):
            assert never not in place


def _requests(secret: str) -> list[tuple[str, bytes, dict[str, str]]]:
    """Everything in every form: with a token and without, signed and not."""
    json = {"Content-Type": "application/json"}
    bad = {**json, "X-HIS-Signature": CANARY, "X-API-Key": CANARY}
    partial = {**json, "webhook-id": CANARY, "webhook-signature": CANARY, "webhook-timestamp": CANARY}
    return [
        *((PATIENT_DATA, raw, {**json, "Authorization": f"Bearer {secret}"}) for raw in PAYLOADS * 2),
        *((PATIENT_DATA, raw, bad) for raw in PAYLOADS[:1]),
        *((WEBHOOK, raw, signed_headers(raw)) for raw in WEBHOOKS * 2),
        *((WEBHOOK, raw, standard_headers(raw, STANDARD_SECRET)) for raw in WEBHOOKS),
        *((WEBHOOK, raw, headers) for raw in WEBHOOKS for headers in (bad, partial)),
    ]
