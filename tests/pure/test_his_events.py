"""What a HIS patient means: its events, what makes two the same, and the actions that go with them."""

from typing import Any
from zoneinfo import ZoneInfo

from dhos_connector_api.actions.his import companions
from dhos_connector_api.actions.his.events import Event, events_of
from dhos_connector_api.actions.his.payload import Patient, read_payload
from dhos_connector_api.actions.his.visits import VisitTypes
from tests.builders.his import MAIN, payload, stay, visit

RIYADH = ZoneInfo("Asia/Riyadh")
TYPES = VisitTypes.with_additions({"Radiology": "RADIOLOGY", "ChiefComplaint": "COMPLAINT"})


def patient(entry: dict[str, Any], *visits: dict[str, Any]) -> Patient:
    found = read_payload(payload(entry, visits=list(visits)))
    assert isinstance(found, list)
    assert isinstance(found[0], Patient)
    return found[0]


def events(entry: dict[str, Any], *visits: dict[str, Any]) -> list[Event]:
    return events_of(patient(entry, *visits), TYPES, RIYADH)


def identities(entry: dict[str, Any], *visits: dict[str, Any]) -> set[bytes]:
    return {each.identity for each in events(entry, *visits)}


def test_an_admission_its_visits_as_sent_and_a_discharge() -> None:
    entry = stay(AdmitDate="05-Jun-2025 11:06", DischargeDate="06-Jun-2025 09:30")
    visits = [visit(" clinical condtion "), visit("Clinical Condition"), visit("RADIOLOGY"), visit("Massage")]
    found = events(entry, *visits)
    assert [(each.type, each.code) for each in found] == [
        ("HIS_ADMITTED", "HIS_ADMITTED"),
        ("clinical condtion", "CLINICAL_CONDITION"),
        ("Clinical Condition", "CLINICAL_CONDITION"),
        ("RADIOLOGY", "RADIOLOGY"),
        ("Massage", None),
        ("HIS_DISCHARGED", "HIS_DISCHARGED"),
    ]
    assert found[0].at.iso() == "2025-06-05T11:06:00.000+03:00"
    assert found[-1].at.iso() == "2025-06-06T09:30:00.000+03:00"


def test_every_type_of_the_table_is_known_whatever_its_case() -> None:
    names = ["Consultation", "Doctor Visited", "Clinical Condtion", "Clinical Condition", "Prescribed Drugs"]
    assert all(
        TYPES.code(spelling) for name in names for spelling in (name, f" {name.upper()} ", name.lower())
    )
    assert TYPES.code("ChiefComplaint") == "COMPLAINT"  # the site says otherwise
    assert VisitTypes().code("ChiefComplaint") == "CHIEF_COMPLAINT"


def test_another_spelling_of_the_same_visit_is_the_same_event() -> None:
    entry = stay()
    one = identities(entry, visit("Clinical Condtion", BillDate="05-Jun-2025 11:06"))
    assert one == identities(entry, visit(" CLINICAL  condition ", BillDate="5-jun-2025 11:06:00"))
    assert one != identities(entry, visit("Clinical Condtion", BillDate="05-Jun-2025 11:07"))
    assert one != identities(entry, visit("Consultation", BillDate="05-Jun-2025 11:06"))


def test_the_same_visit_twice_in_one_payload_is_one_event() -> None:
    twice = visit()
    assert len(events(stay(), twice, dict(twice))) == 2


def test_the_same_visit_of_another_stay_or_hospital_is_another_event() -> None:
    at, entry = visit(), stay()
    for name in ("AdmissionID", "HospitalID"):
        assert not identities(entry, at) & identities(entry | {name: "other"}, at)
    assert identities(entry, at) == identities(entry | {"PatientID": "merged"}, at)


def test_a_date_of_the_stay_that_is_changed_or_taken_back_makes_no_new_event() -> None:
    entry = stay(AdmitDate="05-Jun-2025 11:06", DischargeDate="06-Jun-2025 09:30")
    changed = entry | {"AdmitDate": "05-Jun-2025 11:07", "DischargeDate": "07-Jun-2025 10:00"}
    assert identities(entry) == identities(changed)
    assert identities(entry | {"DischargeDate": ""}) < identities(entry)


def test_a_visit_cannot_pass_for_the_end_of_the_stay() -> None:
    entry = stay(DischargeDate="06-Jul-2025 09:30")
    assert len(identities(entry, visit("HIS_DISCHARGED"), visit("HIS_ADMITTED"))) == 4


def test_the_patient_and_the_encounter_go_with_every_event() -> None:
    entry = stay(
        PatientID="P1",
        AdmissionID="A1",
        PatientName="Mrs. سارة مثال",
        Gender="Female",
        AdmitDate="05-Jun-2025 11:06",
        DischargeDate="06-Jun-2025 09:30",
        SSN="17",
        MobileNo="050",
        IsVIP="Y",
    )
    one = patient(entry).stay
    who, where = companions.of_stay(one, MAIN, RIYADH)
    assert who == {
        "name": "process_patient",
        "data": {
            "mrn": "P1",
            "first_name": "Mrs. سارة".removeprefix("Mrs. "),
            "last_name": "مثال",
            "full_name": "سارة مثال",
            "sex_sct": "248152002",
            "date_of_birth": "1985-06-05",
            "national_id": "17",
            "phone": "050",
            "nationality": "SAUDI",
            "is_vip": True,
        },
    }
    assert where == {
        "name": "process_encounter",
        "data": {
            "epr_encounter_id": "A1",
            "hospital_id": "1",
            "facility": "ALH-MAIN",
            "encounter_type": "IP",
            "admitted_at": "2025-06-05T11:06:00.000+03:00",
            "discharged_at": "2025-06-06T09:30:00.000+03:00",
            "bill_type": "Credit",
            "insurance_company": "EXAMPLE INSURANCE",
        },
    }


def test_what_the_his_does_not_say_is_left_out_of_patient_and_encounter() -> None:
    bare = {
        name: None for name in stay() if name not in ("PatientID", "AdmissionID", "HospitalID", "AdmitDate")
    }
    who, where = companions.of_stay(patient(stay(**bare)).stay, MAIN, RIYADH)
    assert set(who["data"]) == {"mrn", "sex_sct"}
    assert set(where["data"]) == {"epr_encounter_id", "hospital_id", "facility", "admitted_at"}
