"""What new meanings do to events of HIS payloads: stays that end, messages that events share."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.intake import his, reprocess
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.messages import store as messages
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import His, Hospital, Site
from tests.builders.his import INTAKE, payload, raw_of, stay, visit
from tests.builders.intake import an_arrival
from tests.builders.rows import later
from tests.rigs.his_doors import codes, rows, send
from tests.rigs.his_doors import published as envelopes
from tests.rigs.meanings import SITE, applied, map_to
from tests.rigs.stored import uuid_of
from tests.rigs.waiting import eventually


def the_message(database: Database, uuid: UUID) -> Any:
    with database.statements() as connection:
        return messages.get(connection, uuid)


def test_a_message_is_processed_when_the_last_of_its_events_is_withdrawn(database: Database) -> None:
    receipt = send(database, payload(visits=[visit("Consultation")]))
    processed_after = []
    for code in ("HIS_ADMITTED", "Consultation"):
        map_to(database, None, code=code)
        assert applied(database, code=code) == 1
        processed_after.append(the_message(database, uuid_of(receipt))["is_processed"])
    assert processed_after == [False, True]
    assert codes(database) == []


def test_of_the_last_events_of_a_message_withdrawn_at_once_one_has_it_processed(database: Database) -> None:
    types = ["Consultation", "Doctor Visited", "HIS_ADMITTED"]
    receipts = [send(database, payload(visits=[visit(code) for code in types[:2]])) for _ in range(10)]
    for code in types:
        map_to(database, None, code=code)
    with ThreadPoolExecutor(len(types)) as threads:
        applying = [threads.submit(applied, database, code=code) for code in types]
    assert [each.result() for each in applying] == [len(receipts)] * len(types)
    assert rows(database, "SELECT DISTINCT is_processed FROM message") == [(True,)]


def test_a_replay_locks_all_events_of_a_message_before_it_changes_one(database: Database) -> None:
    receipt = send(database, payload(visits=[visit("Consultation")]))
    with database.transaction() as connection:
        assert len(reprocess.of_message(connection, uuid_of(receipt))) == 2
        assert rows(database, "SELECT id FROM integration_event FOR UPDATE SKIP LOCKED") == []


DISCHARGED = {"DischargeDate": "30-Dec-2025 10:00"}
WITHOUT_MASSAGE, KNOWING_MASSAGE = (
    replace(INTAKE, site=Site(his=replace(INTAKE.site.his, visit_types=types)))
    for types in ({}, {"massage": "MASSAGE"})
)


def discharged_at(envelope: Any) -> list[str | None]:
    """What the encounter and the event of an envelope say."""
    return [each["data"].get("discharged_at") for each in envelope["actions"][1:]]


def test_a_meaning_given_after_the_discharge_says_that_the_stay_has_ended(database: Database) -> None:
    entry, seen = stay(HospitalID=" 1 "), [visit("Massage")]
    send(database, payload(entry, visits=seen), WITHOUT_MASSAGE)
    send(database, payload(stay(), visits=[visit("Massage")]), WITHOUT_MASSAGE)
    send(database, payload(entry | DISCHARGED, visits=seen), WITHOUT_MASSAGE)
    known = discharged_at(envelopes(database)[-1])
    assert applied(database, site=KNOWING_MASSAGE.site, code="Massage") == 2
    told, other = envelopes(database)[-2:]
    assert codes(database)[-2:] == ["MASSAGE", "MASSAGE"]
    assert discharged_at(told) == known == ["2025-12-30T10:00:00.000+03:00"] * 2
    assert discharged_at(other) == [None, None]


def waits_for_a_lock(database: Database) -> bool:
    query = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    return bool(rows(database, query)[0][0])


def test_a_meaning_waits_for_a_discharge_that_is_about_to_be_kept_and_says_it(database: Database) -> None:
    entry, seen = stay(), [visit("Massage")]
    send(database, payload(entry, visits=seen), WITHOUT_MASSAGE)
    ended = his.read(an_arrival(raw_of(payload(entry | DISCHARGED, visits=seen)), Kind.HIS), WITHOUT_MASSAGE)
    with ThreadPoolExecutor(1) as aside:
        with database.transaction() as connection:
            assert his.keep(connection, ended) is not None
            applying = aside.submit(applied, database, site=KNOWING_MASSAGE.site, code="Massage")
            eventually(lambda: applying.done() or waits_for_a_lock(database))
        assert applying.result() == 1
    assert codes(database) == ["HIS_ADMITTED", "HIS_DISCHARGED", "MASSAGE"]
    assert discharged_at(envelopes(database)[-1]) == ["2025-12-30T10:00:00.000+03:00"] * 2


def test_a_replay_locks_what_a_message_has_before_the_message_itself(database: Database) -> None:
    lost = stay(HospitalID="9", HospitalName="Elsewhere")
    message = uuid_of(send(database, payload(stay(), lost, visits=[])))
    elsewhere = replace(INTAKE, site=Site(his=His(hospitals=(Hospital("X", "Elsewhere"),))))
    with ThreadPoolExecutor(1) as aside:
        with database.transaction() as connection:
            messages.mark_processed(connection, message, by="platform", at=later())
        with database.transaction() as connection:
            assert len(reprocess.of_message(connection, message)) == 1
            replaying = aside.submit(replay, database, message, elsewhere, by="test")
            eventually(lambda: replaying.done() or waits_for_a_lock(database))
            messages.lock(connection, [message])
        assert replaying.result().envelopes == 2
    assert codes(database) == ["HIS_ADMITTED"] * 2


def test_what_is_published_again_after_the_discharge_says_that_the_stay_has_ended(database: Database) -> None:
    entry = stay()
    receipt = send(database, payload(entry, visits=[]))
    send(database, payload(entry | DISCHARGED, visits=[]))
    known = discharged_at(envelopes(database)[-1])
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM outbox"))
        (event,) = reprocess.of_message(connection, uuid_of(receipt))
        reprocess.reprocess(connection, event, SITE, source=None, at=later())
    assert [discharged_at(each) for each in envelopes(database)] == [known]


def test_a_discharge_that_gets_a_new_meaning_says_what_it_said(database: Database) -> None:
    send(database, payload(stay(**DISCHARGED), visits=[]))
    known = discharged_at(envelopes(database)[-1])
    map_to(database, "GONE_HOME", code="HIS_DISCHARGED")
    assert applied(database, code="HIS_DISCHARGED") == 1
    assert discharged_at(envelopes(database)[-1]) == known


def test_a_meaning_given_after_a_correction_says_who_the_patient_is_now(database: Database) -> None:
    entry, seen = stay(MobileNo="1"), [visit("Massage")]
    send(database, payload(entry, visits=seen), WITHOUT_MASSAGE)
    send(database, payload(stay(MobileNo="7"), visits=[visit("Massage")]), WITHOUT_MASSAGE)
    send(database, payload(entry | {"MobileNo": "2"}, visits=seen), WITHOUT_MASSAGE)
    assert applied(database, site=KNOWING_MASSAGE.site, code="Massage") == 2
    told, other = envelopes(database)[-2:]
    for envelope, phone in ((told, "2"), (other, "7")):
        who, _, event = (each["data"] for each in envelope["actions"])
        assert (who["phone"], event["contact"]["phone"]) == (phone, phone)


def test_a_meaning_given_after_a_correction_is_of_the_same_encounter_and_patient(database: Database) -> None:
    """Evidence of journeys stays with its encounter, whatever it means: `evidence_store.add`."""
    entry, seen = stay(), [visit("Massage")]
    send(database, payload(entry, visits=seen), KNOWING_MASSAGE)
    corrected = entry | DISCHARGED | {"SSN": "1099999999", "HospitalName": "Elsewhere", "ConsultantID": "9"}
    send(database, payload(corrected, visits=seen), KNOWING_MASSAGE)
    before = _massage(database)
    map_to(database, "CARE", code="Massage")
    assert applied(database, site=KNOWING_MASSAGE.site, code="Massage") == 1
    after = _massage(database)
    assert (before["event_code"], after["event_code"], after["generation"]) == ("MASSAGE", "CARE", 1)
    names = ("event_uuid", "source_system", "facility", "encounter_id", "patient", "occurred_at")
    assert [after[name] for name in names] == [before[name] for name in names]
    assert "previous" not in after  # so it joins no names, and moves nobody


def _massage(database: Database) -> Any:
    """The event of the only envelope of that visit that waits."""
    events = [each["actions"][-1]["data"] for each in envelopes(database)]
    (found,) = (each for each in events if each["source_code"] == "Massage")
    return found
