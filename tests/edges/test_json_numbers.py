"""Numbers and byte order marks as senders of JSON write them, at every door that takes JSON."""

import json
from dataclasses import replace
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.site.model import RateLimits, Site
from tests.builders.api import READ, WRITE, api, ask, internal, message_body
from tests.builders.his import HIS_SECRET, INTAKE, SITE, WRITE_HIS, payload, signed_headers, stay, webhook
from tests.builders.hl7 import adt
from tests.builders.oru import data, seen

BOM = b"\xef\xbb\xbf"
_UNLIMITED = {"*": RateLimits(events_per_hour=1_000_000, requests_per_minute=1_000_000)}
UNLIMITED = replace(INTAKE, site=Site(his=replace(SITE.his, rate_limits=_UNLIMITED)))
EVENT: dict[str, Any] = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1"}
ID, EXACT = '"<id>"', "9007199254740993"


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return api(database, changes={"intake": lambda: UNLIMITED}, HIS_WEBHOOK_SECRET=HIS_SECRET)


def post(app: ASGIApp, path: str, raw: bytes) -> Response:
    headers = {"Content-Type": "application/json"}
    return ask(app, "POST", path, token=internal(WRITE, WRITE_HIS), content=raw, headers=headers)


def with_number(value: Any, number: str) -> bytes:
    """The JSON of that value, with a number for every "<id>"."""
    return json.dumps(value).replace(ID, number).encode()


@pytest.mark.parametrize(
    ("number", "known_as"),
    [
        ("1012345678.0", "1012345678"),
        ("1.012345678E9", "1012345678"),
        (f"{EXACT}.0", EXACT),
        ("9223372036854775807", "9223372036854775807"),
    ],
)
def test_the_number_of_a_patient_is_a_whole_one(app: ASGIApp, number: str, known_as: str) -> None:
    entry = stay(PatientID="<id>", AdmissionID="<id>", SSN="<id>")
    answer = post(app, "/api/integrations/his-patient-data/", with_number(payload(entry), number))
    assert answer.status_code == 200
    assert (answer.json()["patient_id"], answer.json()["encounter_id"]) == (known_as, known_as)
    path = f"/dhos/v1/message/search?identifier_type=MRN&identifier={known_as}"
    assert len(ask(app, "GET", path, token=internal(READ)).json()) == 1


@pytest.mark.parametrize("number", ["0e99999999999999999999", "1e-99999999999999999999"])
def test_a_giant_exponent_is_taken_where_any_number_is(app: ASGIApp, number: str) -> None:
    body = EVENT | {"payload_json": {"a": "<id>"}}
    assert post(app, "/api/integrations/events/", with_number(body, number)).status_code == 201
    entry = with_number(payload(stay(PatientID="<id>")), number)
    assert post(app, "/api/integrations/his-patient-data/", entry).status_code == 400


@pytest.mark.parametrize("number", ["1.5", "9223372036854775808", "6.144520917542306e+16"])
def test_what_is_no_integer_of_64_bits_is_no_patient(app: ASGIApp, number: str) -> None:
    entry = with_number(payload(stay(PatientID="<id>")), number)
    assert post(app, "/api/integrations/his-patient-data/", entry).status_code == 400


def test_so_it_is_in_a_webhook(app: ASGIApp, database: Database) -> None:
    raw = with_number(webhook(event_id="<id>", patient_code="<id>", visit_id="<id>"), "1012345678.0")
    answer = ask(app, "POST", "/api/v1/webhooks/his/events", content=raw, headers=signed_headers(raw))
    assert answer.status_code == 200
    with database.statements() as connection:
        found = connection.execute(text("SELECT DISTINCT value FROM message_identifier")).scalars().all()
    assert found == ["1012345678"]


@pytest.mark.parametrize("bulk", [False, True])
def test_so_it_is_in_events_alone_and_many(app: ASGIApp, database: Database, bulk: bool) -> None:
    event = EVENT | {"payload_json": {"department_code": "<id>"}}
    path, body = "/api/integrations/events/", event
    if bulk:
        path, body = f"{path}bulk_create/", {"events": [event, EVENT]}
    assert post(app, path, BOM + with_number(body, "42.0")).status_code in (200, 201)
    with database.statements() as connection:
        codes = connection.execute(text("SELECT payload ->> 'department_code' FROM integration_event"))
        assert "42" in codes.scalars().all()


def test_a_byte_order_mark_is_skipped(app: ASGIApp) -> None:
    assert post(app, "/dhos/v1/message", BOM + json.dumps(message_body(adt())).encode()).status_code == 200
    raw = BOM + json.dumps(payload()).encode()
    assert post(app, "/api/integrations/his-patient-data/", raw).status_code == 200
    raw = BOM + json.dumps(webhook()).encode()
    answer = ask(app, "POST", "/api/v1/webhooks/his/events", content=raw, headers=signed_headers(raw))
    assert answer.status_code == 200


def test_what_is_measured_is_sent_as_it_was_written(app: ASGIApp, database: Database) -> None:
    action = {"name": "process_observation_set", "data": data(seen("temperature", 37.0))}
    assert post(app, "/dhos/v1/oru_message", json.dumps({"actions": [action]}).encode()).status_code == 204
    with database.statements() as connection:
        content = connection.execute(text("SELECT content FROM message_body")).scalar_one()
    assert "|37.0|" in content
