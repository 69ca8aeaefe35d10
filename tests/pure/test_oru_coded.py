"""The OBX of an ORU^R01 that hold more than a number: oxygen, consciousness, coma scale, concerns."""

from typing import Any

import pytest

from tests.builders.oru import codes, data, message, obx, seen, value

AT = "2024-01-02T03:04:05Z"
TIME = "20240102030405"
NURSE = {"send_entry_identifier": "7", "last_name": "N", "first_name": "A"}


def test_oxygen_has_a_score_only_when_it_has_one() -> None:
    assert codes(data(seen("o2_therapy_status", 2, score_value=0))) == ["O2Rate", "O2Score"]
    assert codes(data(seen("o2_therapy_status", 2, score_value=None))) == ["O2Rate"]
    assert value("O2Score", seen("o2_therapy_status", 2, score_value=0)) == "0"


@pytest.mark.parametrize(
    ("metadata", "mask"),
    [
        ({"mask": "Room Air"}, "RA^Room Air"),
        ({"mask": "Room Air", "mask_percent": 21}, "RA^Room Air 21%"),
        ({"mask": "Venturi"}, "V21^Venturi"),
        ({"mask": "Venturi", "mask_percent": ""}, "V21^Venturi"),
        ({"mask": "Venturi", "mask_percent": 0}, "V0^Venturi 0%"),
        ({"mask": "Venturi", "mask_percent": 35.0}, "V35^Venturi 35%"),
        ({"mask": "Venturi", "mask_percent": "3^5"}, "V3\\S\\5^Venturi 3\\S\\5%"),
        ({"mask": "O|ther", "mask_percent": 40}, "^O\\F\\ther 40%"),
        ({"mask": 7}, "^7"),
        ({"mask": "", "mask_percent": 40}, None),
        ({"mask": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_mask_has_the_sites_code_and_its_name(metadata: dict[str, Any] | None, mask: str | None) -> None:
    assert value("O2Delivery", seen("o2_therapy_status", 2, observation_metadata=metadata)) == mask


@pytest.mark.parametrize(
    ("level", "sent"),
    [
        ("Alert", "A^Alert"),
        ("new confusion", "n^new confusion"),
        ("^", "\\S\\^\\S\\"),
        ("\r", "\\X0D\\^\\X0D\\"),
        ("É", "É^É"),
    ],
)
def test_consciousness_is_its_first_letter_and_the_word(level: str, sent: str) -> None:
    given = seen("consciousness_acvpu", observation_string=level, score_value=3, measured_time=AT)
    assert obx(data(given), "ACVPU") == f"CE|ACVPU||{sent}||||||F|||{TIME}"
    assert obx(data(given), "ACVPUScore") == f"NM|ACVPUScore||3||||||F|||{TIME}"


def test_consciousness_that_was_refused_is_empty() -> None:
    refused = seen("consciousness_acvpu", patient_refused=True, score_value=None)
    assert (value("ACVPU", refused), value("ACVPUScore", refused)) == ("", "")


def test_parts_of_the_coma_scale_need_value_and_description() -> None:
    complete = {
        "gcs_eyes": 4,
        "gcs_eyes_description": "Spontaneous",
        "gcs_verbal": "5",
        "gcs_verbal_description": "Ori&nted",
        "gcs_motor": 6.0,
        "gcs_motor_description": "Obeys",
    }
    gcs = seen("consciousness_gcs", 15, observation_metadata=complete, observation_unit=None)
    assert codes(data(gcs)) == ["GCS-Eyes", "GCS-Verbal", "GCS-Motor", "GCS"]
    assert value("GCS-Eyes", gcs) == "4^Spontaneous"
    assert value("GCS-Verbal", gcs) == "5^Ori\\T\\nted"
    assert value("GCS-Motor", gcs) == "6^Obeys"
    for missing in complete:
        for nothing in (None, ""):
            partly = seen("consciousness_gcs", 15, observation_metadata=complete | {missing: nothing})
            assert len(codes(data(partly))) == 3
    assert codes(data(seen("consciousness_gcs", 15))) == ["GCS"]


@pytest.mark.parametrize(("measured", "sent"), [(15, "15"), (15.0, "15"), (14.5, "14.5"), (0, "0")])
def test_the_coma_scale_is_a_whole_number_where_it_is_one(measured: float, sent: str) -> None:
    assert value("GCS", seen("consciousness_gcs", measured)) == sent


@pytest.mark.parametrize(
    ("text", "concerns"),
    [
        ("Infection?", ["Infection?"]),
        ("Infection?,Unresolved Pain", ["Infection?", "Unresolved Pain"]),
        (" a b , c|d,e ", ["a b", "c\\F\\d", "e"]),
        ("a,,b,", ["a", "", "b", ""]),
    ],
)
def test_each_concern_has_a_line(text: str, concerns: list[str]) -> None:
    given = data(seen("nurse_concern", observation_string=text), clinician=NURSE)
    lines = message(given).all("OBX")
    assert [(line.raw(2), line.raw(3), line.raw(5), line.raw(16)) for line in lines] == [
        ("ST", "NC", concern, "7^N^A") for concern in concerns
    ]


def test_a_concern_without_a_text_has_no_line() -> None:
    assert codes(data(seen("nurse_concern", 1))) == []
