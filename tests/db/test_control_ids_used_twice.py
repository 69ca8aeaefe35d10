"""Control ids that a sender uses twice: messages are recovered by a replay, or told apart by their day."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from dhos_connector_api import clock
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict
from dhos_connector_api.hl7v2.rules import Code
from dhos_connector_api.intake.arrival import Intake, Outcome, Receipt
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.intake.stored import Replayed
from dhos_connector_api.intake.take import take
from dhos_connector_api.intake.together import take_together
from dhos_connector_api.site.schema import parse
from tests.builders.his import payload
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE, NARROW, REJECTING, an_arrival
from tests.rigs.his_doors import send as send_his
from tests.rigs.stored import published, stored

DAILY = replace(INTAKE, site=parse({"inbound": {"control_ids_restart_daily": True}}))
HOUR = timedelta(hours=1)


def send(database: Database, raw: bytes, intake: Intake = INTAKE, **changes: Any) -> Receipt:
    """What a door does."""
    return take(an_arrival(raw, **changes), intake, database)


def again(
    database: Database, receipt: Receipt, intake: Intake = INTAKE, *, force_new: bool = True
) -> Replayed:
    """What a person does."""
    assert receipt.uuid is not None
    return replay(database, receipt.uuid, intake, by="ops", force_new=force_new)


def used_twice(database: Database) -> tuple[bytes, bytes, Receipt, Receipt]:
    """Two patients under one control id: both messages, and what became of each."""
    first, second = adt(control_id="C1", mrn="M1"), adt(control_id="C1", mrn="M2")
    return first, second, send(database, first), send(database, second)


def test_a_message_whose_control_id_is_anothers_is_taken_under_a_key_of_its_own(database: Database) -> None:
    _, _, first, lost = used_twice(database)
    assert (lost.answer.code, lost.outcome) == (Code.AR, Outcome.CONFLICT)
    with pytest.raises(Conflict, match="another message has its control id"):
        again(database, lost, force_new=False)
    done = again(database, lost)
    assert (done.accepted_now, done.envelopes, done.is_taken) == (True, 1, True)
    row = stored(database, lost.uuid)
    assert (row["state"], row["ack_status"], row["duplicate_of"]) == ("accepted", "AR", first.uuid)
    assert (row["modified_by"], row["replayed_at"] is not None) == ("ops", True)
    named = [each["dhos_connector_message_uuid"] for each in published(database)]
    assert named == [str(first.uuid), str(lost.uuid)]


def test_it_is_taken_once_and_published_once(database: Database) -> None:
    _, _, _, lost = used_twice(database)
    again(database, lost)
    with database.transaction() as connection:
        connection.execute(text("UPDATE outbox SET published_at = now()"))
    done = again(database, lost)
    assert (done.done_before, done.envelopes, done.is_taken) == (True, 0, True)
    with database.statements() as connection:
        waiting = connection.execute(text("SELECT count(*) FROM outbox WHERE published_at IS NULL"))
        assert waiting.scalar_one() == 0


def test_of_several_copies_one_is_taken(database: Database) -> None:
    _, second, _, lost = used_twice(database)
    copy = send(database, second)
    assert copy.outcome is Outcome.CONFLICT
    again(database, lost)
    for force_new in (True, False):
        with pytest.raises(Conflict, match=f"the same was accepted as message {lost.uuid}"):
            again(database, copy, replace(INTAKE, duplicate_window=timedelta(0)), force_new=force_new)
    assert len(published(database)) == 2


def test_a_resend_of_what_was_recovered_is_known_and_other_content_is_not(database: Database) -> None:
    first_raw, second_raw, first, lost = used_twice(database)
    again(database, lost)
    for raw, kept in ((first_raw, first), (second_raw, lost)):
        repeat = send(database, raw)
        assert (repeat.outcome, repeat.answer.code, repeat.uuid) == (Outcome.REPEATED, Code.AA, kept.uuid)
    assert send(database, second_raw, NARROW).answer.code is Code.AA
    assert send(database, second_raw, REJECTING).outcome is Outcome.REPEAT_REFUSED
    assert send(database, adt(control_id="C1", mrn="M3")).outcome is Outcome.CONFLICT
    assert len(published(database)) == 2


def test_what_was_refused_for_another_reason_is_recovered_too(database: Database) -> None:
    refused = send(database, adt(control_id="C1"), NARROW)
    send(database, adt(control_id="C1"))
    with pytest.raises(Conflict, match="another message has its control id"):
        again(database, refused, force_new=False)
    assert again(database, refused).accepted_now


def test_what_today_s_rules_refuse_stays_refused(database: Database) -> None:
    send(database, adt(control_id="C1"))
    refused = send(database, adt("A20", control_id="C1"))
    done = again(database, refused)
    assert (done.refusal and done.refusal.error, done.is_taken) == ("201", False)
    unreadable = send(database, b"nothing that can be read")
    assert not again(database, unreadable).is_taken


def test_a_repeat_is_no_message_of_its_own(database: Database) -> None:
    raw = adt(control_id="C1")
    first = send(database, raw, REJECTING)
    repeat = send(database, raw, REJECTING)
    no_window = replace(REJECTING, duplicate_window=timedelta(0))
    for moved_on in (False, True):
        if moved_on:  # another message holds the control id by now
            assert send(database, adt(control_id="C1"), no_window).answer.code is Code.AA
        with pytest.raises(Conflict, match=f"the same was accepted as message {first.uuid}"):
            again(database, repeat, no_window)


def test_what_was_known_then_cannot_be_compared_once_its_bytes_are_gone(database: Database) -> None:
    _, _, first, lost = used_twice(database)
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM message_body WHERE message_uuid = :uuid"), {"uuid": first.uuid})
    with pytest.raises(Conflict, match="cannot be seen any more"):
        again(database, lost, replace(INTAKE, duplicate_window=timedelta(0)))
    assert again(database, lost).accepted_now, "its key says what the first one said"


def test_only_hl7_has_keys_of_its_own(database: Database) -> None:
    kept = send_his(database, payload())
    with pytest.raises(Conflict, match="only an HL7 message"):
        again(database, kept)


@pytest.mark.parametrize(("came_after", "taken"), [(2 * HOUR, True), (HOUR / 2, False)])
def test_a_replay_goes_by_the_window_of_today(database: Database, came_after: timedelta, taken: bool) -> None:
    now = clock.now()
    send(database, adt(control_id="C1"), at=now - 3 * HOUR)
    lost = send(database, adt(control_id="C1"), at=now - 3 * HOUR + came_after)
    assert lost.outcome is Outcome.CONFLICT
    narrowed = replace(INTAKE, duplicate_window=HOUR)
    if taken:
        assert again(database, lost, narrowed, force_new=False).accepted_now
        assert stored(database, lost.uuid)["duplicate_of"] is None
    else:
        with pytest.raises(Conflict, match="another message has its control id"):
            again(database, lost, narrowed, force_new=False)


def test_control_ids_that_restart_daily_name_one_message_a_day(database: Database) -> None:
    monday = adt(control_id="1", MSH_7="20240318235959")
    tuesday = adt(control_id="1", MSH_7="20240319000001+0000")
    assert [send(database, raw, DAILY).answer.code for raw in (monday, tuesday)] == [Code.AA, Code.AA]
    for raw in (monday, tuesday):
        assert send(database, raw, DAILY).outcome is Outcome.REPEATED
    for stamp in ("20240319", "2024-03-19T11:00", "20240319110000.123+0100"):
        assert send(database, adt(control_id="1", MSH_7=stamp), DAILY).outcome is Outcome.CONFLICT
    assert len(published(database)) == 2


def test_a_resend_after_midnight_is_a_repeat(database: Database) -> None:
    segments = {"control_id": "1", "mrn": "M1", "nhs_number": "9434765919", "visit": "V1"}
    segments |= {"EVN_2": "20240318", "admitted": "20240318"}
    late, resent = (adt(MSH_7=stamp, **segments) for stamp in ("20240318235959", "20240319000001"))
    first = send(database, late, DAILY)
    assert (send(database, resent, DAILY).uuid, len(published(database))) == (first.uuid, 1)
    two_days = adt(MSH_7="20240321", **segments)
    taken = list(take_together([an_arrival(two_days), an_arrival(resent)], DAILY, database))
    assert [each.receipt and each.receipt.outcome for each in taken] == [Outcome.ACCEPTED, Outcome.REPEATED]


@pytest.mark.parametrize("stamp", ["", "2024", "rubbish"])
def test_without_a_day_a_control_id_names_one_message(database: Database, stamp: str) -> None:
    send(database, adt(control_id="1", MSH_7=stamp), DAILY)
    assert send(database, adt(control_id="1", MSH_7=stamp), DAILY).outcome is Outcome.CONFLICT


def test_what_was_taken_before_the_site_said_so_is_known(database: Database) -> None:
    before = adt(control_id="1", MSH_7="20240318")
    first = send(database, before)
    lost = send(database, adt(control_id="1", MSH_7="20240319"))
    assert lost.outcome is Outcome.CONFLICT
    assert send(database, before, DAILY).uuid == first.uuid
    assert send(database, before, replace(DAILY, duplicate_policy="reject")).outcome is Outcome.REPEAT_REFUSED
    assert again(database, lost, DAILY, force_new=False).accepted_now
    assert len(published(database)) == 2


def test_once_the_site_no_longer_says_so_a_repeat_is_taken_anew(database: Database) -> None:
    raw = adt(control_id="1", MSH_7="20240318")
    kept = send(database, raw, DAILY)
    anew = send(database, raw)
    assert (anew.outcome, anew.uuid == kept.uuid) == (Outcome.ACCEPTED, False)
