"""What the HIS's doors really answer, checked against the specification."""

from typing import Any

import pytest
from httpx import Response
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from tests.builders.api import api, ask, internal
from tests.builders.his import HIS_SECRET, INTAKE, WRITE_HIS, payload, raw_of, signed_headers, stay, webhook
from tests.rigs.answers import OPERATIONS, fits

CHANGES = {"intake": lambda: INTAKE}


@pytest.fixture
def app(database: Database) -> ASGIApp:
    """The application with an empty database."""
    return api(database, changes=CHANGES, HIS_WEBHOOK_SECRET=HIS_SECRET)


def ask_for(app: ASGIApp, name: str, raw: bytes, **request: Any) -> Response:
    operation = OPERATIONS[name]
    headers = {"Content-Type": "application/json"} | request.pop("headers", {})
    return fits(operation, ask(app, "POST", operation.path, content=raw, headers=headers, **request))


@pytest.mark.parametrize("name", ["post_his_patient_data", "post_simulated_patient_data"])
def test_answers_to_patient_data_fit(app: ASGIApp, name: str) -> None:
    good, several = raw_of(payload()), raw_of(payload(stay(), stay(DOB="x"), visits=[]))
    token = internal(WRITE_HIS)
    expected = {good: 200, several: 200, raw_of(payload(stay(HospitalID="9", HospitalName=""))): 400}
    for raw, status in (expected | {b"{": 400, b"{}": 400}).items():
        assert ask_for(app, name, raw, token=token).status_code == status
    assert ask_for(app, name, good).status_code == 401
    assert ask_for(app, name, good, token=internal("read:his")).status_code == 403
    assert ask_for(app, name, good, token=token, headers={"Content-Type": "text/plain"}).status_code == 415
    assert ask_for(api(changes=CHANGES), name, good, token=token).status_code == 503


@pytest.mark.parametrize("source", ["HIS", "LIS", "EMR"])
def test_answers_to_webhooks_fit(database: Database, source: str) -> None:
    name = f"post_{source.lower()}_webhook"
    secret: dict[str, Any] = {f"{source}_WEBHOOK_SECRET": HIS_SECRET}
    app = api(database, changes=CHANGES, **secret)
    for raw, status in {raw_of(webhook()): 200, b"{": 400, raw_of(webhook(event="x")): 200}.items():
        assert ask_for(app, name, raw, headers=signed_headers(raw, source=source)).status_code == status
        assert ask_for(app, name, raw).status_code == 401
    for status in (200, 409):
        raw = raw_of(webhook(event_id="E1"))
        assert ask_for(app, name, raw, headers=signed_headers(raw, source=source)).status_code == status
    raw = raw_of(webhook())
    headers = signed_headers(raw, source=source)
    assert ask_for(app, name, raw, headers=headers | {"Content-Type": "text/plain"}).status_code == 415
    away = api(changes=CHANGES, **secret)
    assert ask_for(away, name, raw, headers=headers).status_code == 503
