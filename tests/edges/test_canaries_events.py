"""No patient data, no key and no token anywhere it should not be: every field of an event is a canary."""

from pathlib import Path

import pytest
import requests

from dhos_connector_api.db.engine import Database, DatabaseAddress
from tests.builders.api import a_key, internal
from tests.builders.canaries import CANARY
from tests.rigs.processes import Process, Web, environment

_EVENTS = "/api/integrations/events/"
_EVENT = {
    "source_system": "his",
    "event_code": "OPD",
    "encounter_id": f"{CANARY}-VISIT",
    "patient_identifier": f"{CANARY}-MRN",
    "event_id": f"{CANARY}-EVENT",
    "payload_json": {"name": f"{CANARY}-NAME", "ssn": f"{CANARY}-SSN", "phone": f"{CANARY}-PHONE"},
}
_BODIES = [
    _EVENT,
    _EVENT,
    _EVENT | {"patient_identifier": f"{CANARY}-OTHER"},
    _EVENT | {"source_system": CANARY},
    _EVENT | {"event_id": None},
    _EVENT | {"event_code": {CANARY: 1}, CANARY: 1},
    _EVENT | {"encounter_id": [CANARY]},
    _EVENT | {"event_id": None, "payload_json": {"timestamp": CANARY}},
    _EVENT | {"event_id": None, "payload_json": {"visit_date": CANARY}},
    {CANARY: CANARY},
    CANARY,
    {"events": [_EVENT, {CANARY: CANARY}, CANARY, _EVENT | {"encounter_id": 1, CANARY: 2}]},
    {"source_system": "his", "event_code": f"{CANARY} code", "canonical_code": CANARY + "!"},
]
_POSTS = ("", "bulk_create/", "mappings/", "mappings/preview/", "mappings/apply/", f"{CANARY}/reprocess/")
_GETS = (
    f"?search={CANARY}&page=0",
    f"?encounter_id={CANARY}&status={CANARY}",
    f"?patient={CANARY}&ordering={CANARY}",
    f"{CANARY}/",
)


@pytest.mark.parametrize("style", ["json", pytest.param("plain", marks=pytest.mark.slow)])
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
        for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {token}"}, {"X-API-Key": CANARY}):
            for path in _POSTS:
                for number, body in enumerate(_BODIES):
                    named = headers | ({"Idempotency-Key": CANARY} if number % 4 == 0 else {})
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
        assert CANARY not in place
        assert key not in place
        assert token not in place
