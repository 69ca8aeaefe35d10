"""The OBX of an ORU^R01, row by row of the contract."""

from typing import Any

import pytest

from tests.builders.oru import codes, data, message, obx, seen, value

AT = "2024-01-02T03:04:05Z"
TIME = "20240102030405"
NURSE = {"send_entry_identifier": "7", "last_name": "N", "first_name": "A"}
VITAL_SIGNS = [
    ("heart_rate", "HR"),
    ("respiratory_rate", "RR"),
    ("diastolic_blood_pressure", "DBP"),
    ("systolic_blood_pressure", "SBP"),
    ("spo2", "SPO2"),
    ("temperature", "TEMP"),
]


def about(**metadata: Any) -> dict[str, Any]:
    return {"observation_metadata": metadata}


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({}, []),
        ({"score_system": None, "score_value": None, "score_severity": None, "mins_late": None}, []),
        ({"score_system": "", "score_severity": "", "time_next_obs_set_due": ""}, []),
        ({"score_system": "news2"}, ["ST|ScoringSystem||NEWS2"]),
        ({"score_system": "MeOwS", "spo2_scale": 1}, ["ST|ScoringSystem||MEOWS"]),
        ({"score_system": "NEWS2", "spo2_scale": 2}, ["ST|ScoringSystem||NEWS2", "ST|SpO2Scale||Scale 2"]),
        ({"score_system": "news2", "spo2_scale": None}, ["ST|ScoringSystem||NEWS2"]),
        ({"spo2_scale": 1}, []),
        ({"score_value": 0}, ["NM|TotalScore||0"]),
        ({"score_value": None, "obx_reference_range": "0-4", "obx_abnormal_flags": "N"}, []),
        ({"score_severity": "low|er"}, ["ST|Severity||low\\F\\er"]),
        ({"time_next_obs_set_due": "2024-01-02T04:04:05+01:00"}, [f"TS|TimeNextObsSetDue||{TIME}"]),
        ({"mins_late": 0}, []),
        ({"mins_late": 0.0}, []),
        ({"mins_late": 5}, ["NM|MinutesLate||5"]),
        ({"mins_late": -30}, ["NM|MinutesLate||-30"]),
    ],
)
def test_lines_about_the_set_have_its_time_and_no_collector(fields: dict[str, Any], lines: list[str]) -> None:
    found = message(data(record_time=AT, clinician=NURSE, **fields)).all("OBX")
    assert [segment.line.split("|", 2)[2] for segment in found] == [
        f"{line}||||||F|||{TIME}" for line in lines
    ]


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"obx_reference_range": "0-4", "obx_abnormal_flags": "HIGH"}, "0-4|HIGH"),
        ({"obx_reference_range": "0^4", "obx_abnormal_flags": None}, "0\\S\\4|"),
        ({"obx_abnormal_flags": "N"}, "|N"),
    ],
)
def test_the_total_score_has_its_range_and_flags(fields: dict[str, Any], end: str) -> None:
    assert obx(data(score_value=7, record_time=AT, **fields), "TotalScore") == (
        f"NM|TotalScore||7||{end}|||F|||{TIME}"
    )


@pytest.mark.parametrize(("kind", "code"), VITAL_SIGNS)
def test_a_vital_sign_and_its_score(kind: str, code: str) -> None:
    given = data(seen(kind, 72, measured_time=AT, observation_unit="a|b", score_value=2), clinician=NURSE)
    assert [segment.line for segment in message(given).all("OBX")] == [
        f"OBX|1|NM|{code}||72|^a\\F\\b|||||F|||{TIME}||7^N^A",
        f"OBX|2|NM|{code}Score||2||||||F|||{TIME}",
    ]


@pytest.mark.parametrize(("kind", "code"), VITAL_SIGNS)
def test_one_without_score_or_unit_has_empty_ones(kind: str, code: str) -> None:
    bare = {"observation_type": kind, "measured_time": AT, "observation_value": 72}
    for empty in (
        bare,
        bare | {"score_value": None, "observation_unit": None},
        bare | {"observation_unit": ""},
    ):
        assert obx(data(empty), code) == f"NM|{code}||72||||||F|||{TIME}"
        score = None if code == "DBP" else f"NM|{code}Score||||||||F|||{TIME}"
        assert obx(data(empty), f"{code}Score") == score


@pytest.mark.parametrize(("kind", "code"), VITAL_SIGNS)
def test_a_patient_who_refused_is_in_the_place_of_the_value(kind: str, code: str) -> None:
    for refused in (seen(kind, patient_refused=True), seen(kind, 72, patient_refused=True)):
        assert value(code, refused) == "patient_refused"
        assert value(f"{code}Score", refused) == "1"
    assert value(code, seen(kind, 72, patient_refused=None)) == "72"


@pytest.mark.parametrize(
    "kind",
    [kind for kind, _ in VITAL_SIGNS]
    + ["o2_therapy_status", "consciousness_acvpu", "consciousness_gcs", "nurse_concern"],
)
def test_what_says_nothing_is_left_out(kind: str) -> None:
    everything = about(mask="Venturi", patient_position="lying", gcs_eyes=4, gcs_eyes_description="x")
    bare = {"observation_type": kind, "measured_time": AT, "score_value": 3, **everything}
    assert codes(data(bare)) == []
    assert codes(data(bare | {"observation_value": None, "observation_string": ""})) == []
    assert codes(data(bare | {"patient_refused": False})) == []


@pytest.mark.parametrize(
    ("measured", "sent"),
    [
        (0, "0"),
        (0.4, "0"),
        (-0.4, "0"),
        (0.5, "0"),
        (1.5, "2"),
        (2.5, "2"),
        (72.0, "72"),
        (99.5, "100"),
        (1e20, "1" + "0" * 20),
    ],
)
def test_rates_pressures_and_saturation_are_whole_numbers_half_to_even(measured: float, sent: str) -> None:
    for kind, code in VITAL_SIGNS[:-1]:
        assert value(code, seen(kind, measured)) == sent


@pytest.mark.parametrize(
    ("measured", "sent"),
    [
        (0, "0"),
        (37, "37"),
        (37.0, "37.0"),
        (34.95, "34.95"),
        (-1.5, "-1.5"),
        (1e-7, "0.0000001"),
        (1e22, "1" + "0" * 22),
    ],
)
def test_temperature_and_oxygen_are_sent_as_they_are(measured: float, sent: str) -> None:
    assert value("TEMP", seen("temperature", measured)) == sent
    assert value("O2Rate", seen("o2_therapy_status", measured)) == sent


def test_a_vital_sign_with_nothing_but_a_text_has_an_empty_value() -> None:
    assert value("HR", seen("heart_rate", observation_string="irregular")) == ""
    assert value("TEMP", seen("temperature", observation_string="cold")) == ""


@pytest.mark.parametrize(
    ("systolic", "diastolic", "position"),
    [
        ("sitting", "lying", "sitting"),
        (None, "lying", "lying"),
        ("", "lying", "lying"),
        ("a^b", None, "a\\S\\b"),
        (None, None, None),
    ],
)
def test_the_position_is_that_of_the_systolic_pressure_or_else_of_the_diastolic(
    systolic: str | None, diastolic: str | None, position: str | None
) -> None:
    given = (
        seen("diastolic_blood_pressure", 80, **about(patient_position=diastolic)),
        seen("systolic_blood_pressure", 120, **about(patient_position=systolic)),
    )
    assert value("BPPOS", *given) == position


def test_the_position_has_the_time_of_its_pressure_and_the_collector() -> None:
    lying = seen("diastolic_blood_pressure", 80, measured_time=AT, **about(patient_position="lying"))
    silent = seen("systolic_blood_pressure", **about(patient_position="sitting"))
    given = data(silent, lying, clinician=NURSE)
    assert obx(given, "BPPOS") == f"ST|BPPOS||lying||||||F|||{TIME}||7^N^A"


def test_lines_are_in_the_order_of_the_contract_and_counted_over_all() -> None:
    everything = about(
        patient_position="lying", mask="Venturi", gcs_eyes=1, gcs_eyes_description="None",
        gcs_verbal=1, gcs_verbal_description="None", gcs_motor=1, gcs_motor_description="None",
    )  # fmt: skip
    kinds = [kind for kind, _ in VITAL_SIGNS] + ["o2_therapy_status", "consciousness_gcs"]
    observations = [seen(kind, 1, **everything) for kind in kinds]
    observations += [
        seen(kind, observation_string="a,b") for kind in ("consciousness_acvpu", "nurse_concern")
    ]
    given = data(
        *reversed(observations),
        score_system="news2", spo2_scale=1, score_value=1, score_severity="low",
        time_next_obs_set_due=AT, mins_late=1,
    )  # fmt: skip
    expected = (
        "ScoringSystem SpO2Scale TotalScore Severity TimeNextObsSetDue MinutesLate "
        "HR HRScore RR RRScore DBP DBPScore SBP SBPScore BPPOS SPO2 SPO2Score O2Rate O2Delivery O2Score "
        "TEMP TEMPScore ACVPU ACVPUScore GCS-Eyes GCS-Verbal GCS-Motor GCS NC NC"
    )
    assert codes(given) == expected.split()
    numbers = [segment.raw(1) for segment in message(given).all("OBX")]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_of_several_of_one_type_the_first_that_says_something_is_sent() -> None:
    several = (seen("heart_rate"), seen("heart_rate", 70), seen("heart_rate", 80))
    assert codes(data(*several)) == ["HR", "HRScore"]
    assert value("HR", *several) == "70"


@pytest.mark.parametrize("observations", [None, [], [seen("weight", 80)], [seen("HR", 80)]])
def test_without_observations_known_here_there_are_no_lines(
    observations: list[dict[str, Any]] | None,
) -> None:
    assert codes(data(observations=observations)) == []


def test_all_nulls_are_legal_where_nothing_is_needed() -> None:
    given = data(
        dict.fromkeys(seen("spo2")) | {"observation_type": "spo2", "measured_time": AT},
        dict.fromkeys(seen("spo2"))
        | {"observation_type": "heart_rate", "measured_time": AT, "observation_value": 0},
        patient=dict.fromkeys(("first_name", "last_name", "dob", "sex", "hospital_number", "nhs_number")),
        encounter=dict.fromkeys(("epr_encounter_id", "location_ods_code", "admitted_at")),
        **dict.fromkeys(("score_system", "score_value", "spo2_scale", "mins_late", "obx_reference_range")),
    )
    assert codes(given) == ["HR", "HRScore"]
    assert obx(given, "HR") == f"NM|HR||0||||||F|||{TIME}"
