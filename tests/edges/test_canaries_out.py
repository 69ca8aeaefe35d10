"""No patient data anywhere it should not be on the way out, and no credential: canaries in every text."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from dhos_connector_api.db.engine import Database, DatabaseAddress
from fakes.epr import FakeEpr
from tests.builders.canaries import CANARY
from tests.builders.delivery import states
from tests.builders.mirth import PASSWORD, USER, running_mirth
from tests.builders.oru import data, seen
from tests.builders.rows import ADAPTER_ISSUER, ADAPTER_KEY
from tests.rigs.ledger import token
from tests.rigs.processes import Process, Web, environment
from tests.rigs.waiting import eventually

_SITE = """
[send_config]
generate_oru_messages = true
oxygen_masks = [{ code = "V", id = "1", name = "Venturi" }]
[deliveries.epr]
schedule = []
[deliveries.mirth]
schedule = []
"""


def _observations() -> dict[str, Any]:
    """An observation set with a canary in every text that may be any text."""
    people = {"first_name": f"{CANARY}-FIRST", "last_name": f"{CANARY}-LAST"}
    return data(
        seen("nurse_concern", observation_string=f"{CANARY}-CONCERN"),
        seen("consciousness_acvpu", observation_string=f"{CANARY}-ACVPU"),
        seen("o2_therapy_status", 2, observation_metadata={"mask": f"{CANARY}-MASK"}),
        patient=people | {"hospital_number": f"{CANARY}-MRN", "nhs_number": f"{CANARY}-NHS"},
        encounter={"epr_encounter_id": f"{CANARY}-VISIT", "location_ods_code": f"{CANARY}-WARD"},
        clinician=people | {"send_entry_identifier": f"{CANARY}-NURSE"},
    )


def _body(given: dict[str, Any]) -> dict[str, Any]:
    return {"actions": [{"name": "process_observation_set", "data": given}]}


_BAD = [
    _body(_observations() | {"patient": CANARY}),
    _body(_observations() | {"encounter": None}),
    _body(data(score_system=CANARY)),
    _body(data(record_time=CANARY)),
    _body(data(patient={"dob": CANARY})),
    _body(data(seen("heart_rate", 1, measured_time=CANARY))),
    {"actions": [{"name": CANARY, "data": {CANARY: CANARY}}]},
]
_DOCUMENT = (
    f'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="{CANARY}-ROOT"/><title>{CANARY}-TITLE</title>'
    f'<recordTarget><patientRole><id root="2.16.840.1.113883.2.1.4.1" extension="{CANARY}"/></patientRole>'
    "</recordTarget></ClinicalDocument>"
)
_BAD_XML = [f"<{CANARY}>", f"<!DOCTYPE {CANARY}><a/>", f"<a>&{CANARY};</a>", f"{CANARY}"]


class _Spiteful(FakeEpr):
    """An adapter that says who the patient is when it refuses."""

    reason = f"{CANARY}-REASON"


@pytest.mark.parametrize("style", ["json", pytest.param("plain", marks=pytest.mark.slow)])
def test_no_canary_reaches_a_log_a_metric_or_an_error_on_the_way_out(
    address: DatabaseAddress, database: Database, tmp_path: Path, style: str
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(_SITE)
    secret, errors = token(), list[str]()
    with _Spiteful(("127.0.0.1", 0), ADAPTER_ISSUER, ADAPTER_KEY) as epr, running_mirth() as mirth:
        environ = environment(
            address,
            SITE_CONFIG=str(site),
            EPR_SERVICE_ADAPTER_URL_BASE=epr.url,
            EPR_SERVICE_ADAPTER_ISSUER=ADAPTER_ISSUER,
            EPR_SERVICE_ADAPTER_HS_KEY=ADAPTER_KEY,
            MIRTH_HOST_URL_BASE=mirth.base,
            MIRTH_USERNAME=USER,
            MIRTH_PASSWORD=PASSWORD,
            LOG_FORMAT=style,
            LOG_LEVEL="DEBUG",
        )
        epr.behaviours.give(["AE"])
        mirth.behaviours.give(["client fault"])
        deliver = Process(["dhos_connector_api", "deliver"], environ, tmp_path / "deliver.log")
        with deliver, Web(environ, tmp_path) as web:
            session = requests.Session()
            session.headers["Authorization"] = f"Bearer {secret}"
            oru, cda = f"{web.url}/dhos/v1/oru_message", f"{web.url}/dhos/v1/cda_message"
            assert session.post(oru, json=_body(_observations())).status_code == 204
            assert session.post(cda, json={"type": "HL7v3CDA", "content": _DOCUMENT}).status_code == 201
            eventually(lambda: states(database) == {"dead": 2})
            epr.behaviours.give(["garbage"])
            mirth.behaviours.give(["not soap"])
            assert session.post(oru, json=_body(_observations())).status_code == 204
            assert session.post(cda, json={"type": "HL7v3CDA", "content": _DOCUMENT}).status_code == 201
            eventually(lambda: states(database) == {"dead": 4})
            bad = [(oru, body) for body in _BAD]
            bad += [(cda, {"type": "HL7v3CDA", "content": content}) for content in _BAD_XML]
            for url, body in bad:
                answer = session.post(url, json=body)
                assert answer.status_code == 400
                errors.append(answer.text)
            for query in (f"state={CANARY}", f"before={CANARY}", f"message_uuid={CANARY}"):
                errors.append(session.get(f"{web.url}/dhos/v1/delivery?{query}").text)
            shown = session.get(f"{web.url}/dhos/v1/delivery?state=dead&destination=epr").json()
            history = session.get(f"{web.url}/dhos/v1/delivery/{shown[-1]['uuid']}").json()["history"]
            assert CANARY in json.dumps(history)  # who may read messages is told
            assert CANARY not in json.dumps(shown)
            metrics = requests.get(f"{web.url}/metrics", timeout=10).text
    logs = "".join(file.read_text() for file in tmp_path.glob("*.log"))
    assert logs.count("delivery attempted") == 4
    for place in (logs, metrics, *errors):
        for canary in (CANARY, secret, PASSWORD, ADAPTER_KEY):
            assert canary not in place
