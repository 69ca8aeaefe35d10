"""HIS payloads: what is kept, what is published, and what sending the patient again does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.events import visits
from dhos_connector_api.intake.his_patients import Refusal, outcomes_of
from dhos_connector_api.intake.take import take
from dhos_connector_api.messages import search, store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import Site
from tests.builders.his import INTAKE, payload, raw_of, stay, visit
from tests.builders.intake import an_arrival
from tests.rigs.his_doors import codes, is_refused, published, result, rows, send
from tests.rigs.stored import uuid_of


def test_a_payload_is_kept_and_its_events_wait_in_order(database: Database) -> None:
    entry = stay(PatientID="P1", AdmissionID="A1", DischargeDate="30-Dec-2025 09:30")
    value = payload(entry, visits=[visit("Consultation"), visit("Clinical Condtion")])
    receipt = send(database, value)
    assert codes(database) == ["HIS_ADMITTED", "CONSULTATION", "CLINICAL_CONDITION", "HIS_DISCHARGED"]
    assert result(receipt).new == result(receipt).completed == ["Consultation", "Clinical Condtion"]
    with database.statements() as connection:
        row = store.get(connection, uuid_of(receipt))
        assert row is not None
        for kind, value_ in (("MRN", "P1"), ("Visit ID", "A1")):
            page = search.by_identifier(connection, kind, value_, limit=10, before=None)
            assert [each["uuid"] for each in page.rows] == [receipt.uuid]
    assert (bytes(row["received"]), row["state"]) == (raw_of(value), "accepted")
    assert (row["src_description"], row["dst_description"]) == ("his", "dhos")
    assert row["message_type"] == "HIS patient data"


def test_an_envelope_holds_the_event_last_and_the_patient_and_encounter_as_data(database: Database) -> None:
    entry = stay(AdmitDate="05-Jun-2025 11:06")
    receipt = send(database, payload(entry, visits=[visit("Consultation", BillDate="05-Jun-2025 11:10")]))
    admitted, consulted = published(database)
    assert consulted["dhos_connector_message_uuid"] == str(receipt.uuid)
    assert [each["name"] for each in consulted["actions"]] == [
        "process_patient",
        "process_encounter",
        "process_event",
    ]
    event = consulted["actions"][-1]["data"]
    assert (event["source_system"], event["source_code"]) == ("his", "Consultation")
    assert event["occurred_at"] == "2025-06-05T08:10:00.000Z"
    assert event["encounter_id"] == entry["AdmissionID"]
    assert event["patient"] == {"mrn": entry["PatientID"], "nhs_number": None}
    assert event["facility"] == "ALH-MAIN"
    assert event["physician"]["id"] == "1407"
    assert admitted["actions"][-1]["data"]["occurred_at"] == "2025-06-05T08:06:00.000Z"


def test_known_bytes_publish_nothing_and_are_answered_with_all_that_is_known(database: Database) -> None:
    value = payload()
    first, again = send(database, value), send(database, value)
    assert again.outcome == "repeated"
    assert again.uuid == first.uuid
    assert (result(again).completed, result(again).new) == (["Consultation"], [])
    assert len(published(database)) == 2
    assert rows(database, "SELECT count(*) FROM message") == [(1,)]
    assert rows(database, "SELECT repeats FROM message_key") == [(1,)]


def test_the_patient_again_with_more_publishes_only_what_is_new(database: Database) -> None:
    entry, first, second = stay(), visit("Consultation"), visit("Doctor Visited")
    send(database, payload(entry, visits=[first]))
    grown = send(database, payload(entry, visits=[first, second]))
    assert result(grown).new == ["Doctor Visited"]
    assert result(grown).completed == ["Consultation", "Doctor Visited"]
    home = send(database, payload(entry | {"DischargeDate": "30-Dec-2025 10:00"}, visits=[first, second]))
    assert result(home).new == []
    assert codes(database) == ["HIS_ADMITTED", "CONSULTATION", "DOCTOR_VISITED", "HIS_DISCHARGED"]


def test_a_visit_that_is_missing_later_takes_nothing_back(database: Database) -> None:
    entry = stay()
    send(database, payload(entry, visits=[visit("Consultation")]))
    shrunk = send(database, payload(entry, visits=[]))
    assert (result(shrunk).completed, result(shrunk).new) == (["Consultation"], [])


def test_a_discharge_changed_or_taken_back_is_not_told_again(database: Database) -> None:
    entry = stay(DischargeDate="30-Dec-2025 10:00")
    for date in ("30-Dec-2025 10:00", "", "31-Dec-2025 10:00"):
        send(database, payload(entry | {"DischargeDate": date}, visits=[]))
    assert codes(database) == ["HIS_ADMITTED", "HIS_DISCHARGED"]


def test_stages_are_told_as_spelt_trimmed_and_once(database: Database) -> None:
    entry = stay()
    visits = [visit(" CONSULTATION "), visit("Consultation"), visit("Consultation")]
    assert result(send(database, payload(entry, visits=visits))).new == ["CONSULTATION", "Consultation"]


def test_an_unknown_type_is_kept_as_ignored_and_is_no_stage(database: Database) -> None:
    found = result(send(database, payload(stay(), visits=[visit("Massage")])))
    assert (found.completed, found.new) == ([], [])
    assert codes(database) == ["HIS_ADMITTED"]
    assert rows(database, "SELECT event_code, state FROM integration_event WHERE state <> 'accepted'") == [
        ("Massage", "ignored")
    ]


def test_a_mapping_of_the_site_decides_what_a_type_means(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO event_mapping (id, source_system, event_code, canonical_code, created, modified)"
                " VALUES (gen_random_uuid(), 'HIS', 'massage', 'WELLNESS', now(), now())"
            )
        )
    assert result(send(database, payload(stay(), visits=[visit(" Massage")]))).new == ["Massage"]
    assert codes(database) == ["HIS_ADMITTED", "WELLNESS"]


def test_the_same_admission_number_in_two_hospitals_is_two_encounters(database: Database) -> None:
    one, two = stay(AdmissionID="A1"), stay(AdmissionID="A1", HospitalID="2")
    send(database, payload(one, visits=[visit("Consultation")]))
    found = result(send(database, payload(two, visits=[visit("Doctor Visited")])))
    assert found.completed == ["Doctor Visited"]
    assert codes(database).count("HIS_ADMITTED") == 2


@pytest.mark.parametrize(
    "changes", [{"HospitalID": " alh-main "}, {"HospitalID": "99", "HospitalName": "alh MAIN"}]
)
def test_a_hospital_is_known_by_its_id_its_code_or_its_name(
    database: Database, changes: dict[str, str]
) -> None:
    assert result(send(database, payload(stay(**changes)))).completed


def test_an_unknown_hospital_is_refused_and_the_body_is_kept(database: Database) -> None:
    value = payload(stay(PatientID="P1", HospitalID="9'\n\u200b" + "9" * 40, HospitalName="Elsewhere"))
    receipt = send(database, value)
    (refusal,) = receipt.answer
    assert isinstance(refusal, Refusal)
    assert refusal.error == f"Hospital with code '9'{'9' * 40}' not found"
    assert published(database) == []
    with database.statements() as connection:
        row = store.get(connection, uuid_of(receipt))
        assert search.by_identifier(connection, "MRN", "P1", limit=1, before=None).rows
    assert row is not None
    assert (row["state"], bytes(row["received"])) == ("refused", raw_of(value))
    assert "9" not in str(row["error_text"])


def test_of_a_hospitals_code_only_so_much_is_quoted() -> None:
    value = payload(stay(HospitalID="9'\n\u200b" + "9" * 90, HospitalName="Elsewhere"))
    (refusal,) = outcomes_of(value, INTAKE)
    assert isinstance(refusal, Refusal)
    assert refusal.error == f"Hospital with code '9'{'9' * 62}' not found"


def test_the_same_bytes_are_judged_anew_once_the_site_is_mended(database: Database) -> None:
    value = payload()
    assert is_refused(send(database, value, replace(INTAKE, site=Site())))
    assert result(send(database, value)).new == ["Consultation"]


@pytest.mark.parametrize(
    ("raw", "state", "reason"),
    [
        (b"\xff\x00", "unparseable", "body: is not UTF-8"),
        (b"{", "unparseable", "body: is not JSON"),
        (b"{}", "refused", "FetchPatientDataTimeStampList: is missing"),
    ],
)
def test_what_does_not_fit_is_kept_with_the_reason(
    database: Database, raw: bytes, state: str, reason: str
) -> None:
    receipt = take(an_arrival(raw, Kind.HIS), INTAKE, database)
    assert receipt.uuid is not None
    with database.statements() as connection:
        row = store.get(connection, uuid_of(receipt))
    assert (receipt.outcome, is_refused(receipt)) == (state, True)
    assert row is not None
    assert (row["state"], bytes(row["received"])) == (state, raw)
    assert reason in str(row["error_text"])


def test_of_several_patients_each_is_taken_or_refused_as_a_whole(database: Database) -> None:
    good, bad, lost = stay(), stay(DOB="x"), stay(HospitalID="9", HospitalName="Elsewhere")
    visits = [visit(PatientID=each["PatientID"]) for each in (good, bad, lost)]
    receipt = send(database, payload(good, bad, lost, visits=visits))
    assert [type(each).__name__ for each in receipt.answer] == ["Result", "Refusal", "Refusal"]
    assert codes(database) == ["HIS_ADMITTED", "CONSULTATION"]
    mended = [good, bad | {"DOB": ""}, lost | {"HospitalID": "2"}]
    assert len(send(database, payload(*mended, visits=visits)).answer) == 3
    assert len(published(database)) == 6


def test_the_visits_of_a_stay_are_found_by_an_index_however_many_events_there_are(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        query = text(f"EXPLAIN {visits.KNOWN.text}")
        plan = connection.execute(query, {"source": "his", "encounter_ids": ["A1"]}).scalars().all()
    assert any("integration_event_encounter_id" in line for line in plan), plan


def test_copies_at_the_same_time_have_one_effect(database: Database) -> None:
    entry, first, second = stay(DischargeDate="30-Dec-2025 10:00"), visit(), visit("Doctor Visited")
    values = [payload(entry, visits=order) for order in ([first, second], [second, first])] * 8
    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(lambda value: send(database, value), values))
    new = [stage for each in receipts for stage in result(each).new]
    assert sorted(new) == ["Consultation", "Doctor Visited"]
    assert sorted(codes(database)) == ["CONSULTATION", "DOCTOR_VISITED", "HIS_ADMITTED", "HIS_DISCHARGED"]
