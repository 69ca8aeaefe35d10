"""Every way in, given other content under a name it knows: kept, or refused; never answered as a repeat."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest
from httpx import Response
from prometheus_client import REGISTRY
from starlette.types import ASGIApp

from dhos_connector_api.db.engine import Database
from dhos_connector_api.hl7v2.batch import split
from dhos_connector_api.mllp.answering import FrameAnswerer
from dhos_connector_api.site.model import RateLimits
from tests.builders.api import WRITE, a_key, api, ask, internal, message_body
from tests.builders.his import (
    HIS_SECRET,
    INTAKE,
    SITE,
    STANDARD_SECRET,
    payload,
    raw_of,
    signed_headers,
    standard_headers,
    stay,
    visit,
    webhook,
)
from tests.builders.hl7 import adt
from tests.builders.mllp import Client, msa, serving
from tests.builders.oru import data, seen

_HIS = replace(SITE.his, rate_limits={"*": RateLimits(10**8, 10**8)})
_UNLIMITED = replace(INTAKE, site=replace(SITE, his=_HIS))
TOKEN = internal(WRITE, "write:his", "read:his")
EVENT = {"source_system": "his", "event_code": "OPD", "encounter_id": "V1", "event_id": "E1"}
EVENTS = "/api/integrations/events/"
JSON = {"Content-Type": "application/json"}
LIS_SECRET = STANDARD_SECRET


class Ways:
    """Every way in at one place."""

    def __init__(self, database: Database, stack: ExitStack) -> None:
        changes = {"intake": lambda: _UNLIMITED}
        secrets = {"HIS_WEBHOOK_SECRET": HIS_SECRET, "LIS_WEBHOOK_SECRET": LIS_SECRET}
        self._app: ASGIApp = api(database, changes=changes, **secrets)
        desk = FrameAnswerer(database, lambda: _UNLIMITED)
        self._client = stack.enter_context(Client(stack.enter_context(serving(desk.answer)).port))

    def post(self, path: str, *, token: str | None = TOKEN, **request: Any) -> Response:
        return ask(self._app, "POST", path, token=token, **request)

    def send(self, raw: bytes) -> bytes:
        return self._client.ask(raw)


@pytest.fixture
def ways(database: Database) -> Iterator[Ways]:
    with ExitStack() as stack:
        yield Ways(database, stack)


Send = Callable[[Ways, int], Any]


def _event(path: str, **headers: str) -> Send:
    """An event of that number; under one event_id, or under one Idempotency-Key."""
    own = EVENT if not headers else {**EVENT, "event_id": None}
    return lambda ways, number: _status(
        ways.post(path, json=own | {"encounter_id": f"V{number}"}, headers=headers)
    )


def _bulk(ways: Ways, number: int) -> tuple[int, str]:
    answer = ways.post(f"{EVENTS}bulk_create/", json={"events": [EVENT | {"encounter_id": f"V{number}"}]})
    body = answer.json()
    return answer.status_code, ("created" if body["created"] else str(body["errors"][0]["error"]))


def _bulk_under_a_key(ways: Ways, number: int) -> int:
    events = {"events": [EVENT | {"event_id": None, "encounter_id": f"V{number}"}]}
    return _status(ways.post(f"{EVENTS}bulk_create/", json=events, headers={"Idempotency-Key": "1"}))


def _webhook(ways: Ways, number: int) -> int:
    raw = raw_of(webhook(event_id="E1", data={"number": number}))
    return _status(ways.post("/api/v1/webhooks/his/events", content=raw, headers=signed_headers(raw)))


def _standard_webhook(ways: Ways, number: int) -> int:
    raw = raw_of(webhook(event_id=None, data={"number": number}))
    headers = standard_headers(raw, HIS_SECRET, id_="E1")
    return _status(ways.post("/api/v1/webhooks/his/events", content=raw, headers=headers))


def _unfit_webhook(ways: Ways, number: int) -> int:
    raw = raw_of(webhook(event_id="E1", **({"occurred_at": "x"} if number > 1 else {})))
    return _status(ways.post("/api/v1/webhooks/his/events", content=raw, headers=signed_headers(raw)))


def _patient_data(path: str) -> Send:
    def send(ways: Ways, number: int) -> int:
        entry = stay(AdmissionID="A1", PatientID="P1", MobileNo=str(number))
        raw = raw_of(payload(entry, visits=[visit(BillDate="01-Jun-2025 08:00")]))
        return _status(ways.post(path, content=raw, headers=JSON))

    return send


def _json_message(ways: Ways, number: int) -> str:
    answer = ways.post("/dhos/v1/message", json=message_body(_adt(number)))
    return msa(base64.b64decode(answer.json()["body"]))[0]


def _raw_message(ways: Ways, number: int) -> str:
    headers = {"Content-Type": "application/hl7-v2"}
    return msa(ways.post("/dhos/v1/message", content=_adt(number), headers=headers).content)[0]


def _batch(ways: Ways, number: int) -> str:
    headers = {"Content-Type": "application/hl7-v2-batch"}
    answer = ways.post("/dhos/v1/message", content=_batch_of(number), headers=headers)
    return msa(split(answer.content).messages[0])[0]


def _frame(ways: Ways, number: int) -> str:
    return msa(ways.send(_adt(number)))[0]


def _frame_of_a_batch(ways: Ways, number: int) -> str:
    return msa(split(ways.send(_batch_of(number))).messages[0])[0]


def _adt(number: int) -> bytes:
    return adt(control_id="C1", family=f"NUMBER {number}")


def _batch_of(number: int) -> bytes:
    return b"BHS|^~\\&\r" + _adt(number) + b"BTS|1\r"


def _observations(ways: Ways, number: int) -> int:
    """A set under the same uuid with other content is a correction."""
    given = data(seen("heart_rate", 60 + number)) | {"uuid": "11111111-2222-4333-8444-555555555555"}
    body = {"actions": [{"name": "process_observation_set", "data": given}]}
    return _status(ways.post("/dhos/v1/oru_message", json=body))


def _document(ways: Ways, number: int) -> int:
    content = (
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3" extension="1"/>'
        f"<title>Number {number}</title></ClinicalDocument>"
    )
    return _status(ways.post("/dhos/v1/cda_message", json={"type": "HL7v3CDA", "content": content}))


def _status(answer: Response) -> int:
    return answer.status_code


@dataclass(frozen=True)
class Case:
    """What the first and another under its name are answered, and whether the other is kept."""

    send: Send
    first: Any
    other: Any
    is_kept: bool
    counter: tuple[str, dict[str, str]] | None = None


_EVENTS = ("connector_integration_events_total", {"outcome": "invalid"})
_CONTRADICTS = "another event of this source has the same event_id"
_HL7 = ("connector_messages_repeated_total", {"answer": "conflict"})
_WEBHOOK = ("connector_webhooks_total", {"source": "his", "outcome": "conflict"})
_UNFIT = ("connector_webhooks_total", {"source": "his", "outcome": "refused"})
_ACCEPTED = ("connector_his_payloads_total", {"outcome": "accepted"})
CASES = {
    "webhook by event_id": Case(_webhook, 200, 409, True, _WEBHOOK),
    "webhook by webhook-id": Case(_standard_webhook, 200, 409, True, _WEBHOOK),
    "webhook that does not fit": Case(_unfit_webhook, 200, 400, True, _UNFIT),
    "event": Case(_event(EVENTS), 201, 409, False, _EVENTS),
    "event of a simulator": Case(_event("/api/simulator/his-events/"), 201, 409, False, _EVENTS),
    "events": Case(_bulk, (201, "created"), (201, _CONTRADICTS), False, _EVENTS),
    "event under a key": Case(_event(EVENTS, **{"Idempotency-Key": "1"}), 201, 422, False),
    "events under a key": Case(_bulk_under_a_key, 201, 422, False),
    "HIS payload": Case(_patient_data("/api/integrations/his-patient-data/"), 200, 200, True, _ACCEPTED),
    "HIS payload of a simulator": Case(
        _patient_data("/api/simulator/his-patient-data/"), 200, 200, True, _ACCEPTED
    ),
    "HL7 as JSON": Case(_json_message, "AA", "AR", True, _HL7),
    "HL7": Case(_raw_message, "AA", "AR", True, _HL7),
    "HL7 in a batch": Case(_batch, "AA", "AR", True, _HL7),
    "MLLP": Case(_frame, "AA", "AR", True, _HL7),
    "MLLP in a batch": Case(_frame_of_a_batch, "AA", "AR", True, _HL7),
    "observations": Case(_observations, 204, 204, True),
    "documents": Case(_document, 201, 201, True),
}


def _kept(database: Database) -> list[tuple[bytes, str]]:
    query = (
        "SELECT b.received, m.state FROM message m JOIN message_body b ON b.message_uuid = m.uuid"
        " ORDER BY m.uuid"
    )
    with database.statements() as connection:
        return [(bytes(received), state) for received, state in connection.exec_driver_sql(query)]


@pytest.mark.parametrize("name", CASES)
def test_other_content_under_a_known_name_is_kept_or_refused(
    ways: Ways, database: Database, name: str
) -> None:
    case = CASES[name]
    assert case.send(ways, 1) == case.first
    before = 0.0 if case.counter is None else REGISTRY.get_sample_value(*case.counter) or 0.0
    kept = len(_kept(database))
    assert case.send(ways, 2) == case.other
    found = _kept(database)
    assert len(found) - kept == case.is_kept
    assert len({received for received, _ in found}) == len(found), "each is kept as it came"
    if case.counter is not None:
        assert (REGISTRY.get_sample_value(*case.counter) or 0.0) == before + 1


def test_no_source_uses_up_the_names_of_another(ways: Ways, database: Database) -> None:
    """The source is that of the API key, or of the secret: what a body says of it has no say."""
    his, lis = ({"X-API-Key": a_key(database, source)} for source in ("his", "lis"))
    raw, path = raw_of(webhook(event_id="E1")), "/api/v1/webhooks/{}/events"
    for name, body in ((EVENTS, EVENT), ("/api/integrations/his-patient-data/", payload())):
        assert ways.post(name, token=None, json=body, headers=lis).status_code == 403
    for events in ([EVENT], [EVENT | {"source_system": "HIS"}]):
        answer = ways.post(f"{EVENTS}bulk_create/", token=None, json={"events": events}, headers=lis)
        assert answer.json()["created"] == 0
    signed = signed_headers(raw, LIS_SECRET, "LIS")
    assert ways.post(path.format("his"), token=None, content=raw, headers=signed).status_code == 401
    assert ways.post(path.format("lis"), token=None, content=raw, headers=signed).status_code == 200
    own = EVENT | {"source_system": "lis"}
    assert ways.post(EVENTS, token=None, json=own, headers=lis).status_code == 201
    assert ways.post(EVENTS, token=None, json=EVENT, headers=his).status_code == 201
    assert ways.post(path.format("his"), content=raw, headers=signed_headers(raw)).status_code == 200
    with database.statements() as connection:
        doors = connection.exec_driver_sql("SELECT door FROM message ORDER BY uuid").scalars().all()
    assert doors == ["webhook lis", "key lis", "key his", "webhook his"]


def test_what_is_kept_of_another_webhook_names_the_first(ways: Ways, database: Database) -> None:
    raws = [raw_of(webhook(event_id="E1")) for _ in range(2)]
    answers = [
        ways.post("/api/v1/webhooks/his/events", content=raw, headers=signed_headers(raw)) for raw in raws
    ]
    assert [each.status_code for each in answers] == [200, 409]
    assert answers[1].json() == {
        "error": "another webhook of this source has the same event_id; this one is kept",
        "details": {},
    }
    with database.statements() as connection:
        first, other = connection.exec_driver_sql(
            "SELECT uuid, duplicate_of, state, door FROM message ORDER BY uuid"
        ).all()
    assert (other.duplicate_of, other.state, other.door) == (first.uuid, "refused", "webhook his")
    assert json.dumps(answers[1].json()).count("E1") == 0
