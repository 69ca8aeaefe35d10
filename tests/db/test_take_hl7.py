"""Receiving a message: what is answered, what is kept, what is published, and what repeats do."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict
from dhos_connector_api.hl7v2.read import read
from dhos_connector_api.hl7v2.rules import Code
from dhos_connector_api.intake.arrival import Intake, Receipt
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.intake.stored import Replayed
from dhos_connector_api.intake.take import take
from dhos_connector_api.messages import search
from dhos_connector_api.site.model import Inbound, Site
from tests.builders.hl7 import adt, merge, two_patients
from tests.builders.intake import INTAKE, NARROW, REJECTING, an_arrival
from tests.rigs.stored import count, published, stored


def send(database: Database, raw: bytes, intake: Intake = INTAKE) -> Receipt:
    """What a door does."""
    return take(an_arrival(raw), intake, database)


def test_an_accepted_message_is_kept_with_everything(database: Database) -> None:
    raw = adt("A01", mrn="M1", control_id="C1")
    receipt = send(database, raw)
    row = stored(database, receipt.uuid)
    assert receipt.answer.code is Code.AA
    assert bytes(row["received"]) == raw
    assert bytes(row["ack"]) == receipt.answer.content
    assert (row["state"], row["ack_status"], row["message_control_id"]) == ("accepted", "AA", "C1")
    assert (row["message_type"], row["event_code"], row["created_by"]) == ("ADT^A01", "ADT_A01", "epr")
    (envelope,) = published(database)
    assert envelope["dhos_connector_message_uuid"] == str(receipt.uuid)
    with database.statements() as connection:
        page = search.by_identifier(connection, "MRN", "M1", limit=10, before=None)
    assert [each["uuid"] for each in page.rows] == [receipt.uuid]


def test_a_refused_message_is_kept_and_found_but_not_published(database: Database) -> None:
    receipt = send(database, adt("A20", mrn="M1"))
    row = stored(database, receipt.uuid)
    assert (receipt.answer.code, row["state"], row["error_code"]) == (Code.AR, "refused", "201")
    assert published(database) == []
    with database.statements() as connection:
        assert search.by_identifier(connection, "MRN", "M1", limit=1, before=None).rows


def test_bytes_without_an_msh_are_kept_and_not_acknowledged(database: Database) -> None:
    raw = bytes(range(256))
    receipt = send(database, raw)
    row = stored(database, receipt.uuid)
    assert (receipt.answer.content, receipt.answer.code, row["state"], bytes(row["received"])) == (
        None,
        None,
        "unparseable",
        raw,
    )


@pytest.mark.parametrize("raw", [adt(PID_5="A\0B"), adt(PID_5="B\xe9", codec="latin-1", MSH_18="ASCII")])
def test_what_cannot_be_text_is_kept_as_bytes_and_answered_ae(database: Database, raw: bytes) -> None:
    receipt = send(database, raw)
    row = stored(database, receipt.uuid)
    assert (receipt.answer.code, row["error_code"], bytes(row["received"])) == (Code.AE, "102", raw)


def test_a_repeat_gets_the_first_ack_and_publishes_nothing(database: Database) -> None:
    raw = adt(control_id="C1")
    first = send(database, raw)
    again = send(database, raw.replace(b"\r", b"\r\n"))
    assert (again.uuid, again.answer.content, again.answer.code) == (
        first.uuid,
        first.answer.content,
        Code.AA,
    )
    assert (count(database), len(published(database))) == (1, 1)
    row = stored(database, first.uuid)
    assert row["repeats"] == 1
    assert row["repeated_at"] is not None


def test_a_resend_with_a_new_time_in_msh_7_is_a_repeat(database: Database) -> None:
    first = send(
        database,
        adt(control_id="C1", mrn="1", nhs_number="2", visit="3", admitted="20260101", MSH_7="1", EVN_2=""),
    )
    again = send(
        database,
        adt(control_id="C1", mrn="1", nhs_number="2", visit="3", admitted="20260101", MSH_7="2", EVN_2=""),
    )
    assert again.uuid == first.uuid


def test_other_content_under_the_same_control_id_is_ar_205_and_flagged(database: Database) -> None:
    first = send(database, adt(control_id="C1"))
    other = send(database, adt(control_id="C1", family="OTHER"))
    row = stored(database, other.uuid)
    assert (other.answer.code, row["error_code"], row["duplicate_of"]) == (Code.AR, "205", first.uuid)
    assert len(published(database)) == 1
    assert other.answer.content is not None
    assert read(other.answer.content).first("MSA").value(2) == "C1"  # type: ignore[union-attr]


def test_another_sender_may_use_the_same_control_id(database: Database) -> None:
    assert send(database, adt(control_id="C1", MSH_4="A")).answer.code is Code.AA
    assert send(database, adt(control_id="C1", MSH_4="B")).answer.code is Code.AA


def test_under_reject_a_repeat_is_a_row_of_its_own_with_ar(database: Database) -> None:
    raw = adt(control_id="C1")
    first = send(database, raw, REJECTING)
    again = send(database, raw, REJECTING)
    row = stored(database, again.uuid)
    assert again.uuid != first.uuid
    assert (row["ack_status"], row["error_code"], row["duplicate_of"]) == ("AR", "205", first.uuid)
    assert len(published(database)) == 1


def test_after_ae_the_same_control_id_is_judged_anew(database: Database) -> None:
    assert send(database, adt("A02", control_id="C1", ward="", PV1_3="")).answer.code is Code.AE
    assert send(database, adt("A02", control_id="C1")).answer.code is Code.AA


def test_what_was_accepted_stays_acknowledged_when_the_rules_narrow(database: Database) -> None:
    raw = adt("A01", control_id="C1")
    first = send(database, raw)
    again = send(database, raw, NARROW)
    assert (again.uuid, again.answer.content, again.answer.code) == (
        first.uuid,
        first.answer.content,
        Code.AA,
    )
    assert send(database, adt("A01"), NARROW).answer.code is Code.AR


def test_a_failure_of_ours_is_stored_with_its_ae_and_accepted_by_a_replay(database: Database) -> None:
    def broken(_: str) -> str:
        raise ZeroDivisionError

    receipt = send(database, adt(control_id="C1"), replace(INTAKE, transform=broken))
    row = stored(database, receipt.uuid)
    assert (receipt.answer.code, row["error_code"], row["state"]) == (Code.AE, "207", "refused")
    done = _replay(database, receipt)
    assert (done.accepted_now, done.envelopes) == (True, 1)
    (envelope,) = published(database)
    assert envelope["dhos_connector_message_uuid"] == str(receipt.uuid)
    row = stored(database, receipt.uuid)
    assert (row["state"], row["ack_status"], row["message_control_id"]) == ("accepted", "AE", "C1")


def test_the_transformer_changes_what_is_understood_not_what_is_kept(database: Database) -> None:
    raw = adt(family="WRONG")
    receipt = send(database, raw, replace(INTAKE, transform=lambda it: it.replace("WRONG", "RIGHT")))
    assert bytes(stored(database, receipt.uuid)["received"]) == raw
    (envelope,) = published(database)
    assert envelope["actions"][0]["data"]["last_name"] == "RIGHT"


def test_a_thousand_copies_from_sixteen_connections_are_one_message(database: Database) -> None:
    raw = adt(control_id="C1")
    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(lambda _: send(database, raw), range(1000)))
    assert {(each.uuid, each.answer.content, each.answer.code) for each in receipts} == {
        (receipts[0].uuid, receipts[0].answer.content, Code.AA)
    }
    assert (count(database), count(database, "outbox"), count(database, "message_identifier")) == (1, 1, 3)
    assert stored(database, receipts[0].uuid)["repeats"] == 999


def test_a_merge_is_known_to_the_search(database: Database) -> None:
    old = send(database, adt(mrn="OLD1"))
    send(database, merge("A40", mrn="NEW1", old_mrn="OLD1"))
    with database.statements() as connection:
        page = search.by_identifier(connection, "MRN", "NEW1", limit=10, before=None)
    assert [row["merged_from"] for row in page.rows if row["uuid"] == old.uuid] == ["OLD1"]


def test_an_encounter_is_found_by_the_field_the_site_names(database: Database) -> None:
    site = Site(inbound=Inbound(encounter_ids=("PID-18", "PV1-19")))
    raw = adt(PID_18="ACC1", visit="VISIT1")
    receipt = send(database, raw, replace(INTAKE, site=site))
    by = {"ACC1": [receipt.uuid], "VISIT1": []}
    for value, expected in by.items():
        with database.statements() as connection:
            page = search.by_identifier(connection, "Visit ID", value, limit=10, before=None)
        assert [each["uuid"] for each in page.rows] == expected


@pytest.mark.parametrize(
    ("kind", "event"), [("ORU^R01", "ORU"), ("ADT^A01", "ADT_A01"), ("MDM^T02", "other")]
)
def test_what_a_star_takes_is_logged_by_its_type(
    database: Database, kind: str, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    accepted = {"ADT": frozenset({"A01"}), "ORU": frozenset({"*"})}
    caplog.set_level("INFO")
    send(database, adt(MSH_9=kind), replace(INTAKE, site=Site(inbound=Inbound(accepted=accepted))))
    assert [vars(each)["event"] for each in caplog.records if each.message == "message received"] == [event]


def _replay(database: Database, receipt: Receipt, intake: Intake = INTAKE) -> Replayed:
    assert receipt.uuid is not None
    return replay(database, receipt.uuid, intake, by="ops")


def test_replaying_an_accepted_message_publishes_under_the_same_id(database: Database) -> None:
    receipt = send(database, adt())
    with database.transaction() as connection:
        before = connection.execute(text("UPDATE outbox SET published_at = now() RETURNING id")).scalar_one()
    assert _replay(database, receipt).envelopes == 1
    with database.transaction() as connection:
        again = connection.execute(text("SELECT id FROM outbox WHERE published_at IS NULL")).scalar_one()
        connection.execute(text("DELETE FROM outbox"))
    assert again == before
    assert _replay(database, receipt).envelopes == 1
    with database.statements() as connection:
        assert connection.execute(text("SELECT id FROM outbox")).scalar_one() == before


def test_a_resend_after_a_replay_gets_aa(database: Database) -> None:
    raw = adt("A01", control_id="C1")
    refused = send(database, raw, NARROW)
    assert refused.answer.code is Code.AR
    _replay(database, refused)
    again = send(database, raw)
    assert (again.uuid, again.answer.code) == (refused.uuid, Code.AA)
    assert again.answer.content is not None
    assert read(again.answer.content).first("MSA").value(1) == "AA"  # type: ignore[union-attr]
    assert len(published(database)) == 1


def test_a_repeat_of_a_message_whose_body_was_dropped_gets_aa(database: Database) -> None:
    raw = adt(control_id="C1")
    first = send(database, raw)
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE message_body"))
    again = send(database, raw)
    assert (again.uuid, again.answer.code) == (first.uuid, Code.AA)
    assert again.answer.content is not None
    assert read(again.answer.content).first("MSA").value(2) == "C1"  # type: ignore[union-attr]


def test_a_repeat_under_reject_is_not_replayed_even_after_its_window(database: Database) -> None:
    raw = adt(control_id="C1")
    send(database, raw, REJECTING)
    repeat = send(database, raw, REJECTING)
    with pytest.raises(Conflict, match="the same was accepted as message"):
        _replay(database, repeat, replace(REJECTING, duplicate_window=timedelta(0)))


def test_a_replay_after_the_window_does_not_double_a_message_that_was_resent(database: Database) -> None:
    raw = adt("A01", control_id="C1")
    refused = send(database, raw, NARROW)
    assert send(database, raw).answer.code is Code.AA
    with pytest.raises(Conflict, match="the same was accepted as message"):
        _replay(database, refused, replace(INTAKE, duplicate_window=timedelta(0)))
    assert len(published(database)) == 1


def test_a_replay_queues_only_what_is_missing(database: Database) -> None:
    receipt = send(database, two_patients("A24"))
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM outbox WHERE position = (SELECT min(position) FROM outbox)"))
    assert _replay(database, receipt).envelopes == 2
    assert len(published(database)) == 2


def test_an_empty_control_id_that_a_transformer_fills_is_no_duplicate(database: Database) -> None:
    filling = replace(INTAKE, transform=lambda it: it.replace("|ADT^A01||", "|ADT^A01|MADE|"))
    assert send(database, adt(control_id=""), filling).answer.code is Code.AA
    assert send(database, adt(control_id=""), filling).answer.code is Code.AA


def test_replaying_what_is_still_refused_says_why(database: Database) -> None:
    receipt = send(database, adt("A20"))
    done = _replay(database, receipt)
    assert done.refusal is not None
    assert (done.envelopes, done.refusal.error) == (0, "201")


def test_a_replay_does_not_overtake_a_corrected_message(database: Database) -> None:
    refused = send(database, adt("A01", control_id="C1"), NARROW)
    send(database, adt("A01", control_id="C1", family="CORRECTED"))
    with pytest.raises(Conflict, match="control id"):
        _replay(database, refused)
    assert len(published(database)) == 1
