"""The observation set every measurement posts: a whole NEWS2 set, with a uuid and a patient of its own."""

import json
import secrets
from typing import Any

from benchmarks.harness import Bench
from benchmarks.load import post
from benchmarks.sample import NHS_NUMBERS, PATIENTS

#: What the site has to say so that ORU messages are sent.
_SITE = """
[send_config]
generate_oru_messages = true
oxygen_masks = [{{ code = "V{{mask_percent}}", id = "venturi", name = "Venturi" }}]
[deliveries.epr]
at_once = {at_once}
timeout = {timeout}
"""
_TIME = "2026-01-02T12:00:00.000Z"
#: Type, value, unit and score of each observation.
_OBSERVATIONS = (
    ("heart_rate", 92, "bpm", 1),
    ("respiratory_rate", 21, "/min", 2),
    ("systolic_blood_pressure", 108, "mmHg", 1),
    ("diastolic_blood_pressure", 64, "mmHg", None),
    ("spo2", 95, "%", 1),
    ("o2_therapy_status", 4, "lpm", 2),
    ("temperature", 38.4, "celsius", 1),
)


def site(bench: Bench, *, at_once: int = 4, timeout: int = 20) -> dict[str, str]:
    """The settings of an installation that sends ORU messages.

    So many are under way to the EPR at once, and each may take that many seconds; the defaults are ours.
    """
    content = _SITE.format(at_once=at_once, timeout=timeout)
    return {"SITE_CONFIG": str(bench.write(f"site-{at_once}-{timeout}.toml", content))}


def requests(bench: Bench, count: int) -> list[bytes]:
    """That many requests, each with a set that was never posted before and a valid token."""
    token, run = bench.token("internal"), secrets.token_hex(4)
    return [_request(number, run=run, host=bench.host, token=token) for number in range(count)]


def _request(number: int, *, run: str, host: str, token: str) -> bytes:
    content = json.dumps({"actions": [{"name": "process_observation_set", "data": _data(number, run)}]})
    header = f"Authorization: Bearer {token}\r\nX-Request-ID: {run}-{number}"
    return post(host, "/dhos/v1/oru_message", header, content.encode())


def _data(number: int, run: str) -> dict[str, Any]:
    patient = number % PATIENTS
    return {
        "patient": {
            "uuid": f"0f2d1c3b-4a59-4687-9695-{patient:012}",
            "first_name": "PERSON",
            "last_name": "BENCHMARK",
            "dob": "1970-01-31",
            "sex": "248152002",
            "hospital_number": f"{10_000_000 + patient}",
            "nhs_number": NHS_NUMBERS[patient],
        },
        "encounter": {"epr_encounter_id": f"V{patient}", "location_ods_code": "NOC-WARD A^BAY 1^BED 2"},
        "observation_set": _set(f"{run}-3a2b-4c1d-8e0f-{number:012}"),
        "clinician": {"send_entry_identifier": "4711", "first_name": "NIA", "last_name": "NURSE"},
    }


def _set(uuid: str) -> dict[str, Any]:
    observations: list[dict[str, Any]] = [
        {
            "observation_type": kind,
            "measured_time": _TIME,
            "observation_value": value,
            "observation_unit": unit,
            "score_value": score,
            "patient_refused": False,
        }
        for kind, value, unit, score in _OBSERVATIONS
    ]
    observations[5]["observation_metadata"] = {"mask": "Venturi", "mask_percent": 28}
    for kind, text in (("consciousness_acvpu", "Alert"), ("nurse_concern", "Infection?, Pain")):
        said = {"observation_string": text, "score_value": 0}
        observations.append({"observation_type": kind, "measured_time": _TIME} | said)
    return {
        "uuid": uuid,
        "record_time": _TIME,
        "score_system": "news2",
        "spo2_scale": 1,
        "score_value": 8,
        "score_severity": "high",
        "obx_reference_range": "0-4",
        "obx_abnormal_flags": "EXTHIGH",
        "time_next_obs_set_due": _TIME,
        "mins_late": 12,
        "observations": observations,
    }
