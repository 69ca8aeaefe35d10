"""Single fields of process_patient, process_location and process_encounter."""

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dhos_connector_api.hl7v2.read import read
from tests.builders.envelopes import only
from tests.builders.hl7 import adt_message, merge

DELETE = '""'


def patient(trigger: str = "A01", **overrides: Any) -> dict[str, Any]:
    data: dict[str, Any] = only(adt_message(trigger, **overrides))["process_patient"]
    return data


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("M", "248153007"),
        ("m", "248153007"),
        ("1", "248153007"),
        ("F", "248152002"),
        ("2", "248152002"),
        ("I", "32570681000036106"),
        ("4", "32570681000036106"),
        ("U", "184115007"),
        ("9", "184115007"),
        ("", "184115007"),
        (DELETE, "184115007"),
    ],
)
def test_sex(sent: str, code: str) -> None:
    assert patient(PID_8=sent)["sex_sct"] == code


@pytest.mark.parametrize("sent", ["", DELETE, "1982", "198203", "19821301", "unknown"])
def test_a_date_of_birth_that_is_missing_partial_or_impossible_is_left_out(sent: str) -> None:
    assert "date_of_birth" not in patient(PID_7=sent)


@pytest.mark.parametrize("sent", ["19820305", "198203052359", "19820305000000+1400", "19820305000000.000"])
def test_a_date_of_birth_is_the_day_as_written(sent: str) -> None:
    assert patient(PID_7=sent)["date_of_birth"] == "1982-03-05"


def test_a_birthday_that_a_zone_skipped_is_kept() -> None:
    # Samoa crossed the date line: its 30 December 2011 never was.
    received = adt_message("A01", PID_7="20111230")
    assert only(received, zone=ZoneInfo("Pacific/Apia"))["process_patient"]["date_of_birth"] == "2011-12-30"


@pytest.mark.parametrize("sent", ["", DELETE])
def test_what_was_not_sent_is_left_out(sent: str) -> None:
    data = patient(PID_5=sent, nhs_number="", PID_7=sent)
    assert set(data) == {"mrn", "sex_sct"}


def test_names_are_unescaped_and_trimmed() -> None:
    data = patient(PID_5="O\\T\\NEILL ^ ANNE\\S\\MARIE~MAIDEN^NAME")
    assert (data["last_name"], data["first_name"]) == ("O&NEILL", "ANNE^MARIE")


@pytest.mark.parametrize("trigger", ["A34", "A40"])
def test_a_patient_merge_names_the_previous_identifiers(trigger: str) -> None:
    received = read(merge(trigger, mrn="NEW", MRG_1="OLD^^^X^MRN~943 476 5919^^^NHS"))
    data = only(received)["process_patient"]
    assert (data["mrn"], data["previous_mrn"], data["previous_nhs_number"]) == ("NEW", "OLD", "9434765919")


@pytest.mark.parametrize("trigger", ["A35", "A44", "A08"])
def test_no_other_message_names_previous_identifiers(trigger: str) -> None:
    data = only(read(merge(trigger, old_mrn="OLD")))["process_patient"]
    assert "previous_mrn" not in data


def test_no_ward_means_neither_location_nor_encounter() -> None:
    assert set(only(adt_message("A01", PV1_3=f"{DELETE}^BAY^BED"))) == {"process_patient", "process_event"}


def test_no_previous_ward_means_no_previous_location() -> None:
    found = only(adt_message("A02", PV1_6=f"{DELETE}^BAY^BED"))
    assert "previous_location" not in found["process_location"]
    assert "previous_location" not in found["process_encounter"]


@pytest.mark.parametrize("part", ["", DELETE])
def test_a_ward_alone_is_a_location(part: str) -> None:
    found = only(adt_message("A01", PV1_3=f"W1^{part}^{part}"))
    assert found["process_location"] == {"location": {"epr_ward_code": "W1"}}
    assert found["process_encounter"]["location"] == {"epr_ward_code": "W1"}


@pytest.mark.parametrize("field", ["PV1_2", "PV1_19", "PV1_44"])
@pytest.mark.parametrize("sent", ["", DELETE, " "])
def test_an_encounter_needs_type_number_and_admission_time(field: str, sent: str) -> None:
    found = only(adt_message("A01", **{field: sent}))
    assert "process_encounter" not in found
    assert "process_location" in found


@pytest.mark.parametrize("sent", ["2024", "202407", "000000000000", "20240230", "yesterday"])
def test_an_admission_time_that_is_no_day_is_no_admission_time(sent: str) -> None:
    assert "process_encounter" not in only(adt_message("A01", PV1_44=sent))


@pytest.mark.parametrize(
    ("sent", "iso"),
    [
        ("20240115", "2024-01-15T00:00:00.000Z"),
        ("202401151030", "2024-01-15T10:30:00.000Z"),
        ("20240115103000.1239", "2024-01-15T10:30:00.123Z"),
        ("20240115103000-0500", "2024-01-15T10:30:00.000-05:00"),
    ],
)
def test_times_are_iso_8601_with_milliseconds(sent: str, iso: str) -> None:
    found = only(adt_message("A03", PV1_44=sent, PV1_45=sent), zone=UTC)
    assert found["process_encounter"]["admitted_at"] == iso
    assert found["process_encounter"]["discharged_at"] == iso
    assert found["process_event"]["discharged_at"] == iso


@pytest.mark.parametrize(
    "trigger", sorted(["A01", "A02", "A03", "A11", "A12", "A13", "A23", "A27", "A38", "A44"])
)
def test_flags_say_what_the_trigger_means(trigger: str) -> None:
    encounter = only(adt_message(trigger))["process_encounter"]
    assert encounter["admission_cancelled"] is (trigger in {"A11", "A23", "A27", "A38"})
    assert encounter["transfer_cancelled"] is (trigger == "A12")
    assert encounter["discharge_cancelled"] is (trigger == "A13")
    assert encounter["encounter_moved"] is (trigger == "A44")


@pytest.mark.parametrize(
    ("sent", "deceased"),
    [("20240714", True), ("2024", True), ("", False), (DELETE, False), ("00000000", False)],
)
def test_the_patient_is_deceased_when_there_is_a_date_of_death(sent: str, deceased: bool) -> None:
    assert only(adt_message("A08", PID_29=sent))["process_encounter"]["patient_deceased"] is deceased


def test_the_encounter_carries_what_mrg_says_of_it() -> None:
    received = adt_message("A44", MRG_1="OLD^^^X^MRN", MRG_5="V1^^^X", MRG_6="W1^BAY")
    encounter = only(received)["process_encounter"]
    assert encounter["parent_encounter_id"] == "V1"
    assert encounter["epr_previous_location_code"] == "W1"
