"""A HIS that says again who a patient is: told where it is new, as the newest payload has it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake import replay
from dhos_connector_api.intake.take import take
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import Site
from tests.builders.his import INTAKE, payload, raw_of, stay, visit
from tests.builders.intake import an_arrival
from tests.rigs.his_doors import codes, published, result, rows, send
from tests.rigs.meanings import map_to
from tests.rigs.stored import uuid_of

UPDATED = "HIS_PATIENT_UPDATED"


def patients(database: Database) -> list[dict[str, Any]]:
    """The patient's data as each envelope tells it, in order."""
    return [envelope["actions"][0]["data"] for envelope in published(database)]


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"PatientName": "Sara Otter"}, "full_name", "Sara Otter"),
        ({"MobileNo": "0501"}, "phone", "0501"),
        ({"DOB": "1985-06-06"}, "date_of_birth", "1985-06-06"),
        ({"Gender": "F"}, "sex_sct", "248152002"),
        ({"MobileNo": ""}, "phone", None),
    ],
)
def test_a_correction_without_a_visit_is_told(
    database: Database, change: dict[str, Any], field: str, value: str | None
) -> None:
    entry, seen = stay(AdmissionID="A1"), [visit()]
    send(database, payload(entry, visits=seen))
    corrected = send(database, payload(entry | change, visits=seen))
    assert codes(database) == ["HIS_ADMITTED", "CONSULTATION", UPDATED]
    who, where, event = published(database)[-1]["actions"]
    assert (who["name"], who["data"].get(field)) == ("process_patient", value)
    assert (where["name"], where["data"]["epr_encounter_id"]) == ("process_encounter", "A1")
    assert (event["data"]["encounter_id"], event["data"]["source_code"]) == ("A1", UPDATED)
    assert event["data"]["occurred_at"]
    assert (result(corrected).new, result(corrected).completed) == ([], ["Consultation"])
    assert rows(database, "SELECT is_processed FROM message ORDER BY created DESC LIMIT 1") == [(False,)]


def test_each_correction_is_told_once_also_one_that_comes_back(database: Database) -> None:
    entry, seen = stay(), [visit()]
    for number, phone in enumerate(["1", "2", "2", "1", "1", "2"]):  # every payload has other bytes
        send(database, payload(entry | {"MobileNo": phone, "FullAge": str(number)}, visits=seen))
    assert codes(database).count(UPDATED) == 3
    assert [each["phone"] for each in patients(database)] == ["1", "1", "2", "1", "2"]


@pytest.mark.parametrize("field", ["MobileNo", "PatientName", "DOB"])
def test_bytes_that_come_again_after_others_tell_what_they_say(database: Database, field: str) -> None:
    entry, seen = stay(), [visit()]
    value = {"MobileNo": "0502", "PatientName": "Sara Otter", "DOB": "1985-06-06"}[field]
    first, second = payload(entry, visits=seen), payload(entry | {field: value}, visits=seen)
    outcomes = [send(database, each).outcome for each in (first, second, first, first, second)]
    assert outcomes == ["accepted", "accepted", "accepted", "repeated", "accepted"]
    assert codes(database)[2:] == [UPDATED] * 3
    one, _, other, again, last = patients(database)
    assert (one, other) == (again, last)
    assert one != other


def test_of_copies_at_the_same_moment_one_tells_it(database: Database) -> None:
    entry = stay()
    first, second = payload(entry, visits=[]), payload(entry | {"MobileNo": "2"}, visits=[])
    for each in (first, second):
        send(database, each)
    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(each.outcome for each in pool.map(lambda _: send(database, first), range(16)))
    assert outcomes == {"accepted": 1, "repeated": 15}
    assert codes(database) == ["HIS_ADMITTED", UPDATED, UPDATED]


def test_bytes_that_came_before_the_others_tell_nothing(database: Database) -> None:
    entry = stay()
    first, second = payload(entry, visits=[]), payload(entry | {"MobileNo": "2"}, visits=[])
    for each in (first, second):
        send(database, each)
    late = an_arrival(raw_of(first), Kind.HIS, at=clock.now() - timedelta(hours=1))
    assert take(late, INTAKE, database).outcome == "repeated"
    assert codes(database) == ["HIS_ADMITTED", UPDATED]


def test_what_is_kept_again_can_be_replayed(database: Database) -> None:
    entry = stay()
    first, second = payload(entry, visits=[]), payload(entry | {"MobileNo": "2"}, visits=[])
    again = [send(database, each) for each in (first, second, first)][-1]
    before = rows(database, "SELECT id FROM outbox ORDER BY id")
    replay.replay(database, uuid_of(again), INTAKE, by="test")
    assert rows(database, "SELECT id FROM outbox ORDER BY id") == before


def test_what_is_new_besides_tells_it(database: Database) -> None:
    entry, seen = stay(), [visit()]
    send(database, payload(entry, visits=seen))
    send(database, payload(entry | {"MobileNo": "2"}, visits=[*seen, visit("Doctor Visited")]))
    assert codes(database) == ["HIS_ADMITTED", "CONSULTATION", "DOCTOR_VISITED"]
    assert patients(database)[-1]["phone"] == "2"


def test_a_visit_of_a_type_nobody_knows_does_not_tell_it(database: Database) -> None:
    entry = stay()
    send(database, payload(entry, visits=[]))
    send(database, payload(entry | {"MobileNo": "2"}, visits=[visit("Massage")]))
    assert codes(database) == ["HIS_ADMITTED", UPDATED]


def test_another_discharge_or_insurer_is_no_correction_of_the_patient(database: Database) -> None:
    entry = stay(DischargeDate="30-Dec-2025 10:00")
    send(database, payload(entry, visits=[]))
    send(database, payload(entry | {"DischargeDate": "31-Dec-2025 10:00", "BillType": "Cash"}, visits=[]))
    assert codes(database) == ["HIS_ADMITTED", "HIS_DISCHARGED"]


def test_a_correction_after_the_discharge_says_that_the_stay_has_ended(database: Database) -> None:
    entry = stay(DischargeDate="30-Dec-2025 10:00")
    send(database, payload(entry, visits=[]))
    send(database, payload(entry | {"DischargeDate": "", "MobileNo": "2"}, visits=[]))
    assert published(database)[-1]["actions"][1]["data"]["discharged_at"].startswith("2025-12-30")


def test_of_several_patients_those_that_changed_are_told(database: Database) -> None:
    one, two = stay(), stay()
    send(database, payload(one, two, visits=[]))
    send(database, payload(one, two | {"MobileNo": "2"}, visits=[]))
    assert codes(database) == ["HIS_ADMITTED", "HIS_ADMITTED", UPDATED]
    assert patients(database)[-1]["mrn"] == two["PatientID"]


def test_a_payload_older_than_what_was_told_says_what_is_known_now(database: Database) -> None:
    entry, seen, late = stay(), visit(), visit("Doctor Visited")
    send(database, payload(entry, visits=[seen]))
    send(database, payload(entry | {"MobileNo": "2"}, visits=[seen]))
    before = clock.now() - timedelta(hours=1)
    for visits in ([seen], [seen, late]):
        stale = raw_of(payload(entry | {"MobileNo": "0"}, visits=visits))
        take(an_arrival(stale, Kind.HIS, at=before), INTAKE, database)
    assert codes(database) == ["HIS_ADMITTED", "CONSULTATION", UPDATED, "DOCTOR_VISITED"]
    assert [each["phone"] for each in patients(database)][2:] == ["2", "2"]


def test_a_replay_does_not_bring_an_older_name_back(database: Database) -> None:
    entry, seen = stay(PatientName="Old Otter"), visit()
    accepted = send(database, payload(entry, visits=[]))
    refused = send(database, payload(entry, visits=[seen]), replace(INTAKE, site=Site()))
    send(database, payload(entry | {"PatientName": "New Otter"}, visits=[]))
    for receipt in (accepted, refused):
        replay.replay(database, uuid_of(receipt), INTAKE, by="test")
    assert codes(database) == ["HIS_ADMITTED", UPDATED, "CONSULTATION"]
    assert [each["last_name"] for each in patients(database)] == ["Otter"] * 3
    assert [each["first_name"] for each in patients(database)] == ["Old", "New", "New"]


def test_a_replay_tells_the_correction_under_the_id_it_has(database: Database) -> None:
    entry = stay()
    send(database, payload(entry, visits=[]))
    corrected = send(database, payload(entry | {"MobileNo": "2"}, visits=[]))
    before = rows(database, "SELECT id FROM outbox ORDER BY id")
    replay.replay(database, uuid_of(corrected), INTAKE, by="test")
    assert rows(database, "SELECT id FROM outbox ORDER BY id") == before


def test_a_mapping_may_ignore_corrections(database: Database) -> None:
    map_to(database, None, code=UPDATED)
    entry = stay()
    for phone in "1231":
        send(database, payload(entry | {"MobileNo": phone}, visits=[]))
    assert rows(database, "SELECT count(*) FROM message") == [(3,)]
    assert codes(database) == ["HIS_ADMITTED"]
    assert rows(database, "SELECT count(*) FROM integration_event") == [(1,)]
