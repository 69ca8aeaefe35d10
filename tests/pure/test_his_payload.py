"""Reading HIS payloads: dates, names, who a visit belongs to, and what does not fit."""

import locale
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhos_connector_api.actions.his.dates import in_zone, read_birth, read_moment, written
from dhos_connector_api.actions.his.names import Name, read_flag, read_gender, read_name
from dhos_connector_api.actions.his.payload import Faults, Patient, read_payload
from tests.builders.his import payload, stay, visit

RIYADH, LONDON = ZoneInfo("Asia/Riyadh"), ZoneInfo("Europe/London")
STAYS, VISITS = "FetchPatientDataTimeStampList", "FetchPatientDataTimeStampVisitDataList"


def patients(*stays: dict[str, Any], visits: list[dict[str, Any]] | None = None) -> list[Patient | Faults]:
    found = read_payload(payload(*stays, visits=visits))
    assert isinstance(found, list)
    return found


def only(**changes: Any) -> Patient:
    (found,) = patients(stay(**changes))
    assert isinstance(found, Patient)
    return found


def details(*stays: dict[str, Any], visits: list[dict[str, Any]] | None = None) -> dict[str, list[str]]:
    found = read_payload(payload(*stays, visits=visits))
    faults = found if isinstance(found, Faults) else found[0]
    assert isinstance(faults, Faults)
    return faults.details


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("05-Jun-2025 11:06", "20250605110600"),
        (" 5-JUN-2025  1:06 ", "20250605010600"),
        ("05-jun-2025 11:06:07", "20250605110607"),
        ("29-Feb-2024 23:59:59.1234567", "20240229235959"),
    ],
)
def test_a_moment_is_read_in_any_of_its_spellings(text: str, digits: str) -> None:
    assert read_moment(text) == digits


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "05-Jun-2025",
            "2025-06-05 11:06",
            "31-Feb-2025 11:06",
            "05-Juin-2025 11:06",
            "05-Mai-2025 11:06",
        ),
        *(
            "05-Jun-2025 24:00",
            "05-Jun-2025 11:60",
            "٠٥-Jun-2025 11:06",
            "05-Jun-0001 00:00",
            "05-Jun-9999 00:00",
        ),
        *("05-Jun-2025 11:06 PM", "05-06-2025 11:06", "x" * 1000),
    ],
)
def test_what_is_no_moment_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        read_moment(text)


@pytest.mark.parametrize("name", ["de_DE.UTF-8", "ar_SA.UTF-8", "C"])
def test_months_are_english_whatever_the_locale(name: str) -> None:
    before = locale.setlocale(locale.LC_TIME)
    with suppress(locale.Error):  # where the machine lacks it, the default has to do
        locale.setlocale(locale.LC_TIME, name)
    try:
        assert read_moment("05-Mar-2025 11:06") == "20250305110600"
        assert written(datetime(2025, 3, 5, 11, 6, tzinfo=RIYADH)) == "05-Mar-2025 11:06"
    finally:
        locale.setlocale(locale.LC_TIME, before)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_what_is_written_is_read_again(at: datetime) -> None:
    assert in_zone(read_moment(written(at)), UTC).value == at.replace(second=0, microsecond=0)


@pytest.mark.parametrize(
    ("text", "zone", "iso"),
    [
        ("05-Jun-2025 11:06", RIYADH, "2025-06-05T11:06:00.000+03:00"),
        ("05-Jun-2025 11:06", LONDON, "2025-06-05T11:06:00.000+01:00"),
        ("05-Jan-2025 11:06", LONDON, "2025-01-05T11:06:00.000Z"),
        ("30-Mar-2025 01:30", LONDON, "2025-03-30T02:30:00.000+01:00"),  # skipped
        ("26-Oct-2025 01:30", LONDON, "2025-10-26T01:30:00.000+01:00"),  # the first of two
    ],
)
def test_a_moment_is_local_to_the_hospital(text: str, zone: ZoneInfo, iso: str) -> None:
    assert in_zone(read_moment(text), zone).iso() == iso


@pytest.mark.parametrize(
    "text", ["1985-06-05", " 1985-06-05T00:00:00", "1985-06-05 00:00:00.000", "1985-06-05T00:00:00Z"]
)
def test_a_birth_is_a_date(text: str) -> None:
    assert read_birth(text) == "1985-06-05"


@pytest.mark.parametrize(
    "text", ["", "05-Jun-1985", "1985-02-30", "1985-06", "19850605", "1985-06-05T13:00:00", "0000-01-01"]
)
def test_what_is_no_birth_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="1985-06-05"):
        read_birth(text)


@pytest.mark.parametrize(
    ("text", "full", "first", "last"),
    [
        ("Mr. Ahmed Ali Al Example", "Ahmed Ali Al Example", "Ahmed Ali", "Al Example"),
        ("  Sara   Example ", "Sara Example", "Sara", "Example"),
        ("EXAMPLE, SARA MAY", "EXAMPLE, SARA MAY", "SARA MAY", "EXAMPLE"),
        ("Dr Sara van der Example", "Sara van der Example", "Sara", "van der Example"),
        ("سارة بنت محمد آل مثال", "سارة بنت محمد آل مثال", "سارة بنت محمد", "آل مثال"),
        ("นาย สมชาย ตัวอย่าง", "สมชาย ตัวอย่าง", "สมชาย", "ตัวอย่าง"),
        ("Пётр Примеров", "Пётр Примеров", "Пётр", "Примеров"),
        ("李小龍", "李小龍", "李小龍", None),
        ("Mr", "Mr", "Mr", None),
        ("Ann\tB\nExample\u0007", "Ann B Example", "Ann B", "Example"),
        (",", ",", ",", None),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_names_of_several_alphabets(
    text: str | None, full: str | None, first: str | None, last: str | None
) -> None:
    assert read_name(text) == Name(full, first, last)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(
            ("Male", "248153007"),
            ("m", "248153007"),
            (" MALE ", "248153007"),
            ("1", "248153007"),
            ("ذكر", "248153007"),
        ),
        *(("Female", "248152002"), ("F", "248152002"), ("أنثى", "248152002"), ("หญิง", "248152002")),
        *(("Indeterminate", "32570681000036106"), ("?", "184115007"), ("", "184115007"), (None, "184115007")),
    ],
)
def test_genders_in_their_spellings(text: str | None, code: str) -> None:
    assert read_gender(text) == code


def test_flags_in_their_spellings() -> None:
    assert [read_flag(each) for each in ("1", "Yes", "True", "0", "N", "no", "", None, "maybe")] == [
        *(True, True, True, False, False, False, None, None, None)
    ]


def test_numbers_and_flags_are_taken_for_texts() -> None:
    found = only(PatientID=878943, SSN=17, IsVIP=True, MobileNo=None, BillType="  ").stay
    assert (found.patient_id, found.national_id, found.vip) == ("878943", "17", "True")
    assert (found.phone, found.bill_type) == (None, None)


@pytest.mark.parametrize("missing", ["", None, "  "])
def test_without_a_discharge_date_the_patient_is_in(missing: str | None) -> None:
    assert only(DischargeDate=missing).stay.discharged is None


def test_what_does_not_fit_is_told_by_field_and_not_quoted() -> None:
    bad = stay(AdmitDate="CANARY", DischargeDate="CANARY", DOB="CANARY", PatientID=" ")
    found = details(bad, visits=[visit(), visit(BillDate="CANARY")])
    assert found == {
        f"{STAYS}[0].PatientID": ["is empty"],
        f"{STAYS}[0].AdmitDate": ["must look like 05-Jun-2025 11:06"],
        f"{STAYS}[0].DischargeDate": ["must look like 05-Jun-2025 11:06"],
        f"{STAYS}[0].DOB": ["must look like 1985-06-05"],
        f"{VISITS}[1].BillDate": ["must look like 05-Jun-2025 11:06"],
    }


def test_nobody_leaves_before_they_came() -> None:
    found = details(stay(AdmitDate="05-Jun-2025 11:06", DischargeDate="01-Jan-1901 00:00"))
    assert found == {f"{STAYS}[0].DischargeDate": ["is before AdmitDate"]}


def test_of_several_patients_each_gets_the_visits_that_name_it() -> None:
    one, two = stay(), stay()
    visits = [
        visit("A", PatientID=two["PatientID"]),
        visit("B", PatientID=f" {one['PatientID']} "),
        visit("C", PatientID=two["PatientID"]),
    ]
    found = [each for each in patients(one, two, visits=visits) if isinstance(each, Patient)]
    assert [[each.type for each in one.visits] for one in found] == [["B"], ["A", "C"]]


def test_one_bad_patient_of_several_does_not_spoil_the_others() -> None:
    one, two = stay(DOB="x"), stay()
    bad, good = patients(one, two, visits=[])
    assert isinstance(bad, Faults)
    assert bad.patient_id == one["PatientID"]
    assert isinstance(good, Patient)


def test_it_has_to_be_told_whose_visit_it_is() -> None:
    one, two, again = stay(), stay(), stay(PatientID="SAME")
    same = stay(PatientID="SAME")
    assert details(one, two, visits=[visit()]) == {
        f"{VISITS}[0].PatientID": ["is missing, and there are several patients"]
    }
    assert details(one, visits=[visit(PatientID="OTHER")]) == {
        f"{VISITS}[0].PatientID": [f"is in no entry of {STAYS}"]
    }
    assert details(same, again, visits=[visit(PatientID="SAME")]) == {
        f"{VISITS}[0].AdmissionID": ["does not tell which stay of the patient it is"]
    }
    found = patients(same, again, visits=[visit(PatientID="SAME", AdmissionID=again["AdmissionID"])])
    assert [len(each.visits) for each in found if isinstance(each, Patient)] == [0, 1]


def test_a_stay_given_twice_counts_once_in_the_same_words_and_is_refused_in_others() -> None:
    one = stay()
    assert len(patients(one, dict(one), visits=[visit()])) == 1
    assert details(one, one | {"Gender": "F"}, visits=[]) == {f"{STAYS}[1].AdmissionID": ["is given twice"]}


@pytest.mark.parametrize("none", [None, []])
def test_there_may_be_no_visits(none: Any) -> None:
    found = read_payload(payload(stay()) | {VISITS: none})
    assert isinstance(found, list)
    assert isinstance(found[0], Patient)
    assert found[0].visits == ()
