"""What no ORU^R01 can be made of: every gap is named, every odd type has its place, nothing is quoted."""

from typing import Any

import pytest

from dhos_connector_api.errors import BadInput
from tests.builders.oru import built, data, seen


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "patient, encounter, observation_set are missing"),
        (
            {"patient": None, "encounter": "x", "observation_set": []},
            "patient, encounter, observation_set are",
        ),
        (data() | {"encounter": None}, "encounter is missing"),
        (data(patient={"uuid": ""}), "patient.uuid is missing"),
        (
            data(patient={"uuid": None}, uuid="", record_time=None) | {"encounter": None},
            "encounter, patient.uuid, observation_set.uuid, observation_set.record_time are missing",
        ),
        (
            data(seen("heart_rate"), seen("", measured_time=None)),
            "observation_set.observations[].observation_type, "
            "observation_set.observations[].measured_time are missing",
        ),
    ],
)
def test_everything_that_is_missing_is_named_at_once(given: dict[str, Any], missing: str) -> None:
    with pytest.raises(BadInput) as error:
        built(given)
    assert error.value.text.startswith(f"body.actions[].data: {missing}")


@pytest.mark.parametrize(
    "given",
    [
        data(patient={"uuid": ["SECRET"]}),
        data(patient={"last_name": {"SECRET": 1}}),
        data(patient={"first_name": True}),
        data(patient={"hospital_number": float("nan")}),
        data(patient={"nhs_number": 10**400}),
        data(patient={"dob": "SECRET"}),
        data(patient={"dob": 19700101}),
        data(encounter={"epr_encounter_id": ["SECRET"]}),
        data(encounter={"location_ods_code": {"SECRET": 1}}),
        data(encounter={"admitted_at": "SECRET"}),
        data() | {"clinician": "SECRET"},
        data(clinician={"last_name": ["SECRET"]}),
        data(record_time="SECRET"),
        data(time_next_obs_set_due="SECRET"),
        data(score_system="SECRET"),
        data(score_system=["SECRET"]),
        data(score_value="SECRET"),
        data(score_value=float("inf")),
        data(score_severity={"SECRET": 1}),
        data(spo2_scale={"SECRET": 1}, score_system="news2"),
        data(mins_late="SECRET"),
        data(observations="SECRET"),
        data(observations={"SECRET": 1}),
        data(observations=["SECRET"]),
        data(seen("heart_rate", 72, measured_time="SECRET")),
        data(seen("heart_rate", observation_value="SECRET")),
        data(seen("heart_rate", observation_value=True)),
        data(seen("heart_rate", 72, observation_unit=["SECRET"])),
        data(seen("heart_rate", 72, score_value="SECRET")),
        data(seen("consciousness_acvpu", observation_string=["SECRET"])),
        data(seen("systolic_blood_pressure", 120, observation_metadata="SECRET")),
        data(seen("systolic_blood_pressure", 120, observation_metadata={"patient_position": ["SECRET"]})),
        data(seen("o2_therapy_status", 2, observation_metadata={"mask": {"SECRET": 1}})),
        data(seen("o2_therapy_status", 2, observation_metadata={"mask": "A", "mask_percent": ["SECRET"]})),
        data(seen("consciousness_gcs", 9, observation_metadata=["SECRET"])),
    ],
    ids=range(35),
)
def test_what_cannot_be_sent_is_refused_by_its_place_and_never_quoted(given: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as error:
        built(given)
    assert error.value.text.startswith("body.actions[].data.")
    assert "must be" in error.value.text
    assert "SECRET" not in error.value.text
