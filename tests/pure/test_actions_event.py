"""process_event: the shape every consumer can rely on, and where each value comes from."""

from typing import Any

import pytest

from dhos_connector_api.hl7v2.read import read
from tests.builders.envelopes import actions, assert_shape, envelopes, only
from tests.builders.hl7 import adt, adt_message, message

DELETE = '""'
#: Every trigger of a merge or move (PX).
CARRY_PREVIOUS = [f"A{number}" for number in (18, 30, 34, 35, 36, 39, 40, 41, 42, 43, 44, 45, 47, 50)]


def event(trigger: str = "A01", **overrides: Any) -> dict[str, Any]:
    data: dict[str, Any] = only(adt_message(trigger, **overrides))["process_event"]
    return data


def leaves(data: dict[str, Any]) -> dict[str, Any]:
    """The data with its nested objects flattened: {"physician.id": ...}."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": each for inner, each in value.items()}
        else:
            flat[key] = value
    return flat


def test_every_key_is_there_and_null_where_nothing_was_sent() -> None:
    data = only(read(message("MSH|^~\\&|||||||ADT^A01|1|P|2.4", "PID|1||M1^^^X^MRN")))["process_event"]
    assert_shape(data)
    sent = {key for key, value in leaves(data).items() if value is not None}
    assert sent == {"source_system", "event_code", "event_uuid", "generation", "patient.mrn"}


def test_every_key_is_there_and_null_where_it_was_deleted() -> None:
    fields = [
        "EVN_2",
        "MSH_4",
        "MSH_7",
        "PID_7",
        "PID_13",
        "PID_15",
        "PV1_2",
        "PV1_3",
        "PV1_7",
        "PV1_19",
        "PV1_45",
    ]
    data = event(**dict.fromkeys(fields, DELETE))
    assert_shape(data)
    sent = {key for key, value in leaves(data).items() if value is not None}
    always = {"source_system", "event_code", "event_uuid", "generation"}
    assert sent == {*always, "patient.mrn", "patient.nhs_number"}


@pytest.mark.parametrize("trigger", CARRY_PREVIOUS)
def test_every_merge_and_move_tells_what_was_before(trigger: str) -> None:
    overrides = {"MRG_5": "V0"} if trigger in {"A42", "A45", "A50"} else {}
    visit = {"PV1_2": "I", "PV1_19": "V1"}
    [data] = [actions(each)["process_event"] for each in envelopes(read(_merge(trigger, overrides | visit)))]
    before, now = data["previous"], data["patient"]
    assert before["mrn"] == "OLD1" != now["mrn"]
    assert before["encounter_id"] == overrides.get("MRG_5")


def _merge(trigger: str, overrides: dict[str, str]) -> bytes:
    return adt(trigger, MRG_1="OLD1^^^NOC-MRN^MRN", **overrides)


@pytest.mark.parametrize(
    ("born", "told"),
    [("19820305", "1982-03-05"), ("1982", None), ("18400101", None), ("", None), ("14050101", None)],
)
def test_the_date_of_birth_is_whole_and_possible_or_null(born: str, told: str | None) -> None:
    assert event("A03", PID_7=born)["date_of_birth"] == told


def test_the_encounter_type_is_there_without_an_admission_time() -> None:
    assert event("A03", admitted="", PV1_2="INPATIENT")["encounter_type"] == "INPATIENT"


def test_it_is_complete_without_an_admission_time() -> None:
    data = event("A03", admitted="", discharged="20240115100000", visit="V1", ward="W1", bay="", bed="")
    assert data["source_system"] == "hl7v2"
    assert data["event_code"] == "ADT_A03"
    assert data["encounter_id"] == "V1"
    assert data["discharged_at"] == "2024-01-15T10:00:00.000Z"
    assert data["location"] == {"epr_ward_code": "W1", "epr_bay_code": None, "epr_bed_code": None}


def test_the_trigger_may_come_from_evn() -> None:
    assert event("A04", MSH_9="ADT")["event_code"] == "ADT_A04"


@pytest.mark.parametrize(
    ("evn", "msh", "occurred_at"),
    [
        ("20240115093000", "20240115100000", "2024-01-15T09:30:00.000Z"),
        ("", "20240115100000", "2024-01-15T10:00:00.000Z"),
        (DELETE, "20240115100000", "2024-01-15T10:00:00.000Z"),
        ("2024", "20240115100000", "2024-01-15T10:00:00.000Z"),
        ("soon", "20240115100000", "2024-01-15T10:00:00.000Z"),
        ("", "2024", None),
    ],
)
def test_it_occurred_when_evn_or_else_msh_says(evn: str, msh: str, occurred_at: str | None) -> None:
    assert event(EVN_2=evn, MSH_7=msh)["occurred_at"] == occurred_at


def test_the_facility_is_the_senders_namespace() -> None:
    assert event(MSH_4="RXX^1.2.3^ISO")["facility"] == "RXX"


def test_the_physician_is_the_first_attending_doctor() -> None:
    assert event(PV1_7="C1^O\\T\\HARA^ANNE^M^^Dr~C2^OTHER")["physician"] == {
        "id": "C1",
        "family_name": "O&HARA",
        "given_name": "ANNE",
        "prefix": "Dr",
    }


@pytest.mark.parametrize(
    ("pid_13", "phone", "email"),
    [
        ("01865 000001", "01865 000001", None),
        ("01865000001^HOME~07700900001^MOBILE", "01865000001", None),
        ("^NET^Internet^a@example.org~07700900001^PRN^CP", "07700900001", "a@example.org"),
        ("07700900001^PRN^CP^a@example.org", "07700900001", "a@example.org"),
        ("a@example.org^NET", None, "a@example.org"),
        ("a@example.org^^Internet", None, "a@example.org"),
        ("018650001^^FX~018650002^^PH", "018650002", None),
        ("^PRN^PH^^^^^^^^^01865000003", "01865000003", None),
        ("^PRN^PH^^44^01865^000003", "+441865000003", None),
        ("^PRN^PH^^^01865^000003", "01865000003", None),
        ('""~07700900001', "07700900001", None),
        ('""', None, None),
    ],
)
def test_contact(pid_13: str, phone: str | None, email: str | None) -> None:
    assert event(PID_13=pid_13, PID_15="en^English")["contact"] == {
        "phone": phone,
        "email": email,
        "language": "en",
    }
