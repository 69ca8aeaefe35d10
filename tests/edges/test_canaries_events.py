"""No patient data, no key and no token anywhere it should not be: every field of an event is a canary."""

from pathlib import Path

import pytest
import requests

from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.api import a_key, internal
from tests.rigs.processes import Process, Web, environment

_CANARY = "CANARY"
_EVENTS = "/api/integrations/events/"
_EVENT = {
    "source_system": "his",
    "event_code": "OPD",
    "encounter_id": f"{_CANARY}-VISIT",
    "patient_identifier": f"{_CANARY}-MRN",
    "event_id": f"{_CANARY}-EVENT",
    "payload_json": {"name": f"{_CANARY}-NAME", "ssn": f"{_CANARY}-SSN", "phone": f"{_CANARY}-PHONE"},
}
_BODIES = [
    _EVENT,
    _EVENT,
    _EVENT | {"patient_identifier": f"{_CANARY}-OTHER"},
    _EVENT | {"source_system": _CANARY},
    _EVENT | {"event_id": None},
    _EVENT | {"event_code": {_CANARY: 1}, _CANARY: 1},
    _EVENT | {"encounter_id": [_CANARY]},
    _EVENT | {"event_id": None, "payload_json": {"timestamp": _CANARY}},
    _EVENT | {"event_id": None, "payload_json": {"visit_date": _CANARY}},
    {_CANARY: _CANARY},
    _CANARY,
    {"events": [_EVENT, {_CANARY: _CANARY}, _CANARY, _EVENT | {"encounter_id": 1, _CANARY: 2}]},
    {"source_system": "his", "event_code": f"{_CANARY} code", "canonical_code": _CANARY + "!"},
]
_POSTS = ("", "bulk_create/", "mappings/", "mappings/preview/", "mappings/apply/", f"{_CANARY}/reprocess/")
_GETS = (
    f"?search={_CANARY}&page=0",
    f"?encounter_id={_CANARY}&status={_CANARY}",
    f"?patient={_CANARY}&ordering={_CANARY}",
    f"{_CANARY}/",
)


@pytest.mark.parametrize("style", ["json", "plain"])
def test_no_canary_no_key_and_no_token_reaches_a_log_a_metric_or_an_error(
    address: DatabaseAddress, database: Database, tmp_path: Path, style: str
) -> None:
    site = tmp_path / "site.toml"
    site.write_text("[his.rate_limits.his]\nevents_per_hour = 100\nrequests_per_minute = 5\n")
    environ = environment(address, LOG_FORMAT=style, LOG_LEVEL="DEBUG", SITE_CONFIG=str(site))
    key, token = a_key(database), internal("write:his", "read:his", "admin:his")
    errors: list[str] = []
    statuses: set[int] = set()

    def note(answer: requests.Response) -> None:
        statuses.add(answer.status_code)
        if not answer.ok or "errors" in answer.text:
            errors.append(answer.text)

    with (
        Web(environ, tmp_path) as web,
        Process(["dhos_connector_api", "relay"], environ, tmp_path / "relay.log"),
    ):
        for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {token}"}, {"X-API-Key": _CANARY}):
            for path in _POSTS:
                for number, body in enumerate(_BODIES):
                    named = headers | ({"Idempotency-Key": _CANARY} if number % 4 == 0 else {})
                    note(requests.post(web.url + _EVENTS + path, json=body, headers=named, timeout=10))
            for path in _GETS:
                note(requests.get(web.url + _EVENTS + path, headers=headers, timeout=10))
        metrics = requests.get(f"{web.url}/metrics", timeout=10).text
    assert {200, 201, 400, 401, 403, 404, 409, 422, 429} <= statuses
    assert max(statuses) < 500
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert "answered" in logs
    assert "connector_integration_events_total" in metrics
    for place in (logs, metrics, *errors):
        assert _CANARY not in place
        assert key not in place
        assert token not in place
