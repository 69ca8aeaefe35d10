"""Every envelope fits the JSON Schemas of `openapi/actions/v1`, and has no key that they do not name."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from httpx import Response
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from sqlalchemy import text
from starlette.types import ASGIApp

from dhos_connector_api.actions.hl7.extract import LEGACY_TRIGGERS
from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.groups import WITH_PRIOR
from dhos_connector_api.hl7v2.read import Message, read
from dhos_connector_api.hl7v2.rules import judge
from dhos_connector_api.site.model import ALL_ADT_TRIGGERS, Site
from dhos_connector_api.spec.document import FOLDER
from tests.builders.api import a_key, api, ask, internal
from tests.builders.envelopes import envelopes
from tests.builders.his import HIS_SECRET, INTAKE, payload, raw_of, signed_headers, stay, webhook
from tests.builders.hl7 import adt_message, merge, two_patients

SCHEMAS = {path.name: json.loads(path.read_text()) for path in (FOLDER / "actions" / "v1").glob("*.json")}
SAMPLES = [
    path
    for path in sorted((Path(__file__).parents[1] / "samples").rglob("*.hl7"))
    if path.parent.name != "oru"
]


def _closed(schema: Any) -> Any:
    """The schema without room for keys that it does not name."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items()}
    return closed | {"additionalProperties": False} if "properties" in schema else closed


CLOSED = {name: _closed(schema) for name, schema in SCHEMAS.items()}
VALIDATOR = Draft202012Validator(
    CLOSED["envelope.json"],
    registry=Registry().with_resources(
        [(name, Resource.from_contents(each)) for name, each in CLOSED.items()]
    ),
    format_checker=Draft202012Validator.FORMAT_CHECKER,
)


def faults(body: bytes) -> list[str]:
    """What of an envelope does not fit."""
    found = VALIDATOR.iter_errors(json.loads(body))
    return [each.message for error in found for each in (error, *(error.context or ()))]


def assert_fit(message: Message) -> None:
    found = envelopes(message)
    assert found
    assert [fault for envelope in found for fault in faults(envelope.body)] == []


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["description"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_samples_fit(sample: Path) -> None:
    assert_fit(read(sample.read_bytes()))


@pytest.mark.parametrize("trigger", sorted(ALL_ADT_TRIGGERS))
def test_every_trigger_fits(trigger: str) -> None:
    assert_fit(adt_message(trigger, PV1_6="W8^B1", PV1_45="20240203040506", died="20240203"))
    if trigger in WITH_PRIOR:
        assert_fit(read(merge(trigger, MRG_5="V0", MRG_6="WARD1")))
    assert_fit(read(two_patients(trigger)))


def test_little_and_odd_content_fits() -> None:
    random = Random(12)
    values = [
        "",
        '""',
        "^",
        "null",
        " ",
        "0",
        "A\\F\\B",
        "19820305",
        "20240101",
        "Y",
        "x" * 300,
        "~",
        "&",
        "é",
    ]
    for _ in range(500):
        trigger = random.choice(sorted(LEGACY_TRIGGERS))
        fields = {
            f"{segment}_{random.randint(1, most)}": random.choice(values)
            for segment, most in (("PID", 30), ("PV1", 45), ("EVN", 6), ("MRG", 7))
            for _ in range(3)
        }
        message = adt_message(trigger, **fields)
        if judge(message, Site().inbound).code == "AA":
            assert_fit(message)


@pytest.fixture
def app(database: Database) -> ASGIApp:
    return api(database, changes={"intake": lambda: INTAKE}, HIS_WEBHOOK_SECRET=HIS_SECRET)


def _published(database: Database) -> Iterator[bytes]:
    with database.statements() as connection:
        yield from connection.execute(text("SELECT body FROM outbox")).scalars()


def test_what_comes_as_json_fits(app: ASGIApp, database: Database) -> None:
    def told(path: str, **request: Any) -> Response:
        response = ask(app, "POST", path, **request)
        assert response.status_code < 300, response.text
        return response

    token = internal("write:his")
    data = "/api/integrations/his-patient-data/"
    first = stay()
    told(data, token=token, json=payload(first))
    told(
        data,
        token=token,
        json=payload(first | {"DischargeDate": "05-Jul-2025 11:00", "PatientName": "Mr. A B"}),
    )
    told(data, token=token, json=payload(stay(PatientNationality=None, BillType=None, DOB="", MobileNo="")))
    signed = raw_of(webhook())
    told("/api/v1/webhooks/his/events", content=signed, headers=signed_headers(signed))
    event = {"source_system": "lis", "event_code": "LAB", "encounter_id": "V1", "patient_identifier": "P 1"}
    headers = {"X-API-Key": a_key(database, "lis")}
    told("/api/integrations/events/", headers=headers, json=event)
    more = {
        "physician_license": 12,
        "department_code": "CARD",
        "timestamp": "2025-06-05T11:06:00Z",
        "other": [1],
    }
    told("/api/integrations/events/", headers=headers, json=event | {"payload_json": more})
    bodies = list(_published(database))
    assert len(bodies) >= 6
    assert [fault for body in bodies for fault in faults(body)] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda envelope: envelope.update(actions=[]),
        lambda envelope: envelope["actions"].pop(),
        lambda envelope: envelope["actions"][0]["data"].update(sex_sct="male"),
        lambda envelope: envelope["actions"][0]["data"].update(nickname="X"),
        lambda envelope: envelope["actions"][-1]["data"].pop("physician"),
        lambda envelope: envelope["actions"][-1]["data"].update(occurred_at="2024-07-15"),
        lambda envelope: envelope["actions"][-1].update(version=2),
        lambda envelope: envelope.pop("dhos_connector_message_uuid"),
    ],
)
def test_what_does_not_fit_is_seen(change: Any) -> None:
    [envelope] = envelopes(adt_message("A01"))
    body = json.loads(envelope.body)
    assert faults(envelope.body) == []
    change(body)
    assert faults(json.dumps(body).encode())
