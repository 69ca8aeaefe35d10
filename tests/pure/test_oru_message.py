"""An ORU^R01 apart from its observations: which action it is made of, MSH, PID, PV1 and OBR."""

from hashlib import md5
from typing import Any

import pytest

from dhos_connector_api.deliveries.oru.message import observation_data
from dhos_connector_api.errors import BadInput
from tests.builders.oru import built, data, message, seen, site


def line(name: str, given: dict[str, Any]) -> str:
    """The first segment of that name as it stands."""
    segment = message(given).first(name)
    assert segment is not None
    return segment.line


def pid(field: int, **patient: Any) -> str:
    return line("PID", data(patient=patient)).split("|")[field : field + 1][0]


def test_the_first_action_of_that_name_is_taken() -> None:
    actions = [
        {"name": "process_patient", "data": 5},
        {"no": "name"},
        "nothing",
        {"name": "process_observation_set", "data": {"first": 1}},
        {"name": "process_observation_set", "data": {"second": 2}},
    ]
    assert observation_data({"actions": actions}) == {"first": 1}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"actions": None},
        {"actions": "process_observation_set"},
        {"actions": []},
        {"actions": [{"name": "process_patient", "data": {}}]},
        {"actions": [{"name": ["process_observation_set"]}]},
        {"actions": [{"name": "process_observation_set"}]},
        {"actions": [{"name": "process_observation_set", "data": []}]},
    ],
)
def test_without_such_an_action_there_is_nothing_to_send(body: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"body\.actions"):
        observation_data(body)


def test_msh_says_who_sends_to_whom() -> None:
    made = built(
        data(uuid="the-set"),
        site=site(
            sending_application="A",
            sending_facility="B",
            receiving_application="C",
            receiving_facility="D",
            processing_id="T",
            timestamp_format="%Y",
        ),
    )
    control_id = md5(b"the-set", usedforsecurity=False).hexdigest()[:20]
    assert made.text.split("\r")[0] == f"MSH|^~\\&|A|B|C|D|2024||ORU^R01^ORU_R01|{control_id}|T|2.6"
    assert (made.control_id, made.set_uuid) == (control_id, "the-set")


def test_a_correction_has_the_control_id_of_what_it_corrects_and_no_other_set_has() -> None:
    first, second = built(data(uuid="one", score_value=1)), built(data(uuid="one", score_value=2))
    assert first.control_id == second.control_id
    assert first.text != second.text
    assert built(data()).control_id != built(data()).control_id


def test_segments_have_cr_between_and_none_at_the_end() -> None:
    text = built(data(seen("heart_rate", 72))).text
    assert [segment[:3] for segment in text.split("\r")] == ["MSH", "PID", "PV1", "OBR", "OBX", "OBX"]
    assert "\n" not in text


@pytest.mark.parametrize(
    ("patient", "identifiers"),
    [
        ({"hospital_number": "1", "nhs_number": "2"}, "1^^^^MRN~2^^^^NHS"),
        ({"hospital_number": "1", "nhs_number": None}, "1^^^^MRN"),
        ({"hospital_number": "", "nhs_number": "2"}, "2^^^^NHS"),
        ({"hospital_number": None, "nhs_number": ""}, ""),
        ({"hospital_number": 17, "nhs_number": "1~2^3"}, "17^^^^MRN~1\\R\\2\\S\\3^^^^NHS"),
    ],
)
def test_identifiers_that_are_there_stand_in_pid_3(patient: dict[str, Any], identifiers: str) -> None:
    assert pid(3, **patient) == identifiers


@pytest.mark.parametrize(
    ("last", "first", "name"),
    [("A", "B", "A^B"), ("A", None, "A^"), (None, "B", "^B"), (None, "", ""), ('""', "B", "\\X2222\\^B")],
)
def test_names(last: str | None, first: str | None, name: str) -> None:
    assert pid(5, last_name=last, first_name=first) == name


@pytest.mark.parametrize(
    ("sex", "code"),
    [
        ("248153007", "1"),
        ("248152002", "2"),
        ("184115007", "3"),
        ("32570681000036106", "4"),
        (248152002, "2"),
        ("F", "3"),
        ("", "3"),
        (None, "3"),
    ],
)
def test_sex(sex: Any, code: str) -> None:
    assert pid(8, sex=sex) == code


@pytest.mark.parametrize(
    ("dob", "day"),
    [
        ("1970-01-31", "19700131"),
        ("19700131", "19700131"),
        (" 1970-01-31 ", "19700131"),
        ("1970-01-31T23:30:00-11:00", "19700131"),
        ("1970-01-31T00:00:00.000Z", "19700131"),
        ("0987-01-31", "09870131"),
        ("1970", ""),
        ("1970-01", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_date_of_birth(dob: str | None, day: str) -> None:
    assert pid(7, dob=dob) == day


@pytest.mark.parametrize(
    "dob", ["1970-02-30", "31/01/1970", "197", "19701", "1970-1-3", "٢٠٢٤-01-02", "1970-01-31\x00"]
)
def test_a_date_of_birth_that_cannot_be_read_is_refused(dob: str) -> None:
    with pytest.raises(BadInput, match=r"patient\.dob: must be a date"):
        built(data(patient={"dob": dob}))


def test_without_a_visit_number_there_is_no_pv1() -> None:
    for visit in (None, ""):
        assert not message(data(encounter={"epr_encounter_id": visit})).all("PV1")
    assert not message(data() | {"encounter": {}}).all("PV1")


@pytest.mark.parametrize(
    ("location", "field"),
    [
        ("W^B^1", "W^B^1"),
        ("W&X^B~V", "W&X^B~V"),
        ("W|1\\2\r\n\x0b", "W\\F\\1\\E\\2\\X0D\\\\X0A\\\\X0B\\"),
        ("\\S\\", "\\E\\S\\E\\"),
        ("é\x85\u2029", "é\\XC285\\\\XE280A9\\"),
        (7, "7"),
        (None, ""),
    ],
)
def test_the_location_is_a_whole_field(location: Any, field: str) -> None:
    given = data(encounter={"epr_encounter_id": "V1", "location_ods_code": location})
    assert line("PV1", given) == f"PV1|1||{field}{'|' * 16}V1"


def test_the_time_of_admission_is_pv1_44() -> None:
    given = data(encounter={"epr_encounter_id": "V1", "admitted_at": "2024-01-02T03:04:05Z"})
    assert line("PV1", given).split("|")[44:] == ["20240102030405"]


@pytest.mark.parametrize(
    ("clinician", "collector"),
    [
        ({"send_entry_identifier": "7", "last_name": "N", "first_name": "A"}, "7^N^A"),
        ({"send_entry_identifier": 123456, "last_name": "N", "first_name": "A"}, "123456^N^A"),
        ({"send_entry_identifier": 7.0, "last_name": "N"}, "7^N^"),
        ({"send_entry_identifier": None, "last_name": None, "first_name": "A"}, "^^A"),
        ({"send_entry_identifier": "", "last_name": None}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_collector_is_in_obr_and_on_what_was_measured(
    clinician: dict[str, Any] | None, collector: str
) -> None:
    given = data(seen("heart_rate", 72), score_value=3, clinician=clinician)
    fields = line("OBR", given).split("|")
    assert (fields[10], fields[25]) == (collector, "F")
    total, rate, score = message(given).all("OBX")
    assert (total.raw(16), rate.raw(16), score.raw(16)) == ("", collector, "")
    assert not rate.line.endswith("|")
    del given["clinician"]
    assert line("OBR", given).split("|")[10] == ""


def test_obr_names_the_set_and_its_time() -> None:
    obr = line("OBR", data(uuid="a^b", record_time="2024-01-02T03:04:05Z"))
    assert obr == f"OBR|1||a\\S\\b|EWS|||20240102030405{'|' * 18}F"


def test_text_that_no_http_body_can_hold_breaks_nothing() -> None:
    given = data(
        seen("nurse_concern", observation_string="a\x00\udfff,\ud800"),
        uuid="\ud800\x00",
        patient={"last_name": "\x00\udc00", "sex": "\ud800"},
        encounter={"epr_encounter_id": "\x00", "location_ods_code": "\x00\ud800"},
    )
    made = built(given)
    assert len(made.text.split("\r")) == 6
    assert "\x00" not in made.text
    assert len(made.control_id) == 20
