"""The largest HIS payload the specification lets through, stale ones, and those that bring nothing new."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.messages import store
from tests.builders.his import payload, raw_of, stay, visit
from tests.builders.rows import later
from tests.rigs.his_doors import codes, is_refused, published, result, rows, send

#: What a field may hold at most, and the character that takes most room as JSON.
_LONGEST = {
    **dict.fromkeys(("PatientName", "PrimaryDoctor", "Type", "PatientNationality"), 200),
    **dict.fromkeys(("InsuranceCompanyName", "BillType", "HospitalName", "FullAge", "Gender"), 200),
    **dict.fromkeys(("SSN", "MobileNo", "PatientID", "AdmissionID", "ConsultantID"), 64),
}
_WIDEST = "\u0001"
VISITS = 1000


def at(number: int) -> str:
    """A time of its own for each number."""
    return (
        f"{1 + number // 86400:02}-Jun-2025 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
    )


def largest(visits: int = VISITS, **changes: Any) -> dict[str, Any]:
    """One patient with the longest of every field and that many visits."""
    long = {name: "x" + _WIDEST * (length - 2) + "x" for name, length in _LONGEST.items()}
    visits_ = [{"Type": "Consultation", "BillDate": at(number)} for number in range(visits)]
    return payload(stay(**long, DischargeDate="30-Dec-2025 10:00") | changes, visits=visits_)


def test_the_largest_payload_is_kept_and_what_it_queues_is_bounded(database: Database) -> None:
    receipt = send(database, largest())
    assert not is_refused(receipt)
    ((count, longest),) = rows(database, "SELECT count(*), max(octet_length(body)) FROM outbox")
    assert count == VISITS + 2
    assert longest < 16_384


def test_many_patients_with_many_visits_are_kept(database: Database) -> None:
    stays = [stay(DischargeDate="30-Dec-2025 10:00") for _ in range(VISITS)]
    receipt = send(database, payload(*stays, visits=[visit(PatientID=each["PatientID"]) for each in stays]))
    assert len(receipt.answer) == VISITS
    assert rows(database, "SELECT count(*) FROM outbox") == [(3 * VISITS,)]


@pytest.mark.parametrize(
    "value",
    [
        largest(VISITS + 1),
        *(largest(1, **{name: "x" * (length + 1)}) for name, length in _LONGEST.items()),
    ],
)
def test_what_exceeds_it_is_refused_and_kept(database: Database, value: dict[str, Any]) -> None:
    receipt = send(database, value)
    assert is_refused(receipt)
    assert rows(database, "SELECT state FROM message") == [("refused",)]
    assert rows(database, "SELECT received FROM message_body") == [(raw_of(value),)]


def test_events_of_several_groups_wait_in_the_order_they_were_sent(database: Database) -> None:
    send(database, largest(600))
    times = [each["actions"][-1]["data"]["occurred_at"] for each in published(database)]
    assert times[1:-1] == sorted(times[1:-1])
    assert (codes(database)[0], codes(database)[-1]) == ("HIS_ADMITTED", "HIS_DISCHARGED")


def test_the_same_events_in_other_groups_do_not_stand_in_each_others_way(database: Database) -> None:
    one = largest(600)
    visits = one["FetchPatientDataTimeStampVisitDataList"]
    values = [
        one | {"FetchPatientDataTimeStampVisitDataList": visits[place:] + visits[:place]}
        for place in range(0, 600, 100)
    ]
    with ThreadPoolExecutor(6) as pool:
        assert None not in list(pool.map(lambda value: send(database, value), values))
    assert rows(database, "SELECT count(*) FROM outbox") == [(602,)]


def unprocessed(database: Database) -> int:
    """How many messages will count as late."""
    with database.statements() as connection:
        return store.late(connection, before=later().replace(year=2199))


def test_a_payload_that_queues_nothing_is_processed_at_once(database: Database) -> None:
    entry, seen = stay(), [visit()]
    send(database, payload(entry, visits=seen))
    with database.transaction() as connection:
        connection.execute(text("UPDATE message SET is_processed = true"))
    send(database, payload(entry | {"Type": "OP"}, visits=seen))
    send(database, payload(entry, visits=[*seen, visit("Massage")]))
    assert unprocessed(database) == 0
    send(database, payload(entry, visits=[visit("Doctor Visited")]))
    assert unprocessed(database) == 1


def test_a_stale_payload_does_not_bring_a_patient_back_in(database: Database) -> None:
    entry = stay(AdmitDate="01-Jun-2025 10:00")
    send(database, payload(entry | {"DischargeDate": "30-Jun-2025 10:00"}, visits=[]))
    send(database, payload(entry, visits=[visit("Consultation")]))
    stale = published(database)[-1]["actions"]
    assert stale[-1]["data"]["event_code"] == "CONSULTATION"
    assert stale[1]["data"]["discharged_at"] == "2025-06-30T10:00:00.000+03:00"
    assert stale[-1]["data"]["discharged_at"] == "2025-06-30T10:00:00.000+03:00"


def test_a_discharge_of_one_stay_says_nothing_of_another(database: Database) -> None:
    gone, still_in = stay(DischargeDate="30-Dec-2025 10:00"), stay()
    send(database, payload(gone, visits=[]))
    send(database, payload(still_in, visits=[]))
    assert "discharged_at" not in published(database)[-1]["actions"][1]["data"]


def test_another_spelling_of_the_hospital_is_the_same_encounter(database: Database) -> None:
    entry, seen = stay(HospitalID="ALH-main"), visit()
    send(database, payload(entry, visits=[seen]))
    again = result(send(database, payload(entry | {"HospitalID": " alh-MAIN"}, visits=[seen])))
    assert (again.completed, again.new) == (["Consultation"], [])
    assert codes(database) == ["HIS_ADMITTED", "CONSULTATION"]
