"""Replays of HIS payloads and webhooks: what was refused is taken once it can be, nothing twice."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict
from dhos_connector_api.intake import replay
from dhos_connector_api.intake import webhook as webhooks
from dhos_connector_api.intake.arrival import Door, Receipt
from dhos_connector_api.intake.stored import Replayed
from dhos_connector_api.intake.take import keep_alone, take
from dhos_connector_api.messages import store
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import Hospital, Site
from dhos_connector_api.spec.kept_body import CheckedBody
from tests.builders.his import INTAKE, MAIN, NORTH, SITE, payload, raw_of, stay, visit, webhook
from tests.builders.intake import an_arrival
from tests.rigs.his_doors import codes, is_refused, published, rows, send
from tests.rigs.stored import uuid_of


def test_a_replay_takes_what_was_refused_once_the_site_is_mended(database: Database) -> None:
    good, lost = stay(), stay(HospitalID="9", HospitalName="Elsewhere")
    partly = send(database, payload(good, lost, visits=[]))
    refused = send(database, payload(visits=[visit("Massage")]), replace(INTAKE, site=Site()))
    mended = Site(his=replace(SITE.his, hospitals=(MAIN, NORTH, Hospital("X", "Elsewhere"))))
    for receipt, accepted_now in ((partly, False), (refused, True)):
        done = replay.replay(database, uuid_of(receipt), replace(INTAKE, site=mended), by="test")
        assert done.accepted_now is accepted_now
        with database.statements() as connection:
            row = store.get(connection, uuid_of(receipt))
        assert row is not None
        assert row["state"] == "accepted"
    assert codes(database) == ["HIS_ADMITTED"] * 3
    assert len({each["actions"][-1]["data"]["event_uuid"] for each in published(database)}) == 3


def test_a_replay_publishes_under_the_ids_it_has_always_had(database: Database) -> None:
    receipt = send(database, payload())
    before = rows(database, "SELECT id FROM outbox ORDER BY id")
    with database.transaction() as connection:
        connection.execute(text("UPDATE outbox SET published_at = now()"))
    assert replayed(database, receipt.uuid).envelopes == 2
    assert rows(database, "SELECT id FROM outbox WHERE published_at IS NULL ORDER BY id") == before


def test_a_payload_accepted_as_another_message_meanwhile_is_not_taken_twice(database: Database) -> None:
    value = payload()
    refused = send(database, value, replace(INTAKE, site=Site()))
    send(database, value)
    with pytest.raises(Conflict):
        replayed(database, refused.uuid)
    assert len(published(database)) == 2


def replayed(database: Database, uuid: UUID | None) -> Replayed:
    assert uuid is not None
    return replay.replay(database, uuid, INTAKE, by="test")


def is_processed(database: Database, uuid: UUID | None) -> bool:
    assert uuid is not None
    with database.statements() as connection:
        row = store.get(connection, uuid)
    assert row is not None
    assert row["state"] == "accepted"
    return bool(row["is_processed"])


def test_a_replay_that_queues_something_waits_for_its_consumers_again(database: Database) -> None:
    good, lost = stay(), stay(HospitalID="9", HospitalName="Elsewhere")
    send(database, payload(good, visits=[]))
    partly = send(database, payload(good, lost, visits=[]))
    assert is_processed(database, partly.uuid)
    mended = Site(his=replace(SITE.his, hospitals=(MAIN, NORTH, Hospital("X", "Elsewhere"))))
    replay.replay(database, uuid_of(partly), replace(INTAKE, site=mended), by="test")
    assert not is_processed(database, partly.uuid)


def test_a_replay_that_accepts_and_queues_nothing_is_processed_at_once(database: Database) -> None:
    entry, seen = stay(), visit()
    refused = send(database, payload(entry, visits=[seen]), replace(INTAKE, site=Site()))
    send(database, payload(entry | {"MobileNo": "0501"}, visits=[seen]))
    assert replayed(database, refused.uuid).accepted_now
    assert is_processed(database, refused.uuid)


#: A site that makes us fail at every payload of its hospital.
BROKEN = Site(his=replace(SITE.his, hospitals=(replace(MAIN, time_zone="Nowhere/At_all"),)))


def failing(database: Database, value: dict[str, Any]) -> Receipt:
    """What the door does with a payload that a fault of ours keeps it from reading."""
    return send(database, value, replace(INTAKE, site=BROKEN))


def test_a_payload_we_failed_to_read_is_kept_once_and_taken_when_it_can_be_read(database: Database) -> None:
    value = payload()
    first = failing(database, value)
    for _ in range(2):
        again = failing(database, value)
        assert (again.outcome, is_refused(again)) == ("repeated", True)
        assert again.uuid == first.uuid
    assert rows(database, "SELECT count(*) FROM message_body") == [(1,)]
    assert rows(database, "SELECT repeats FROM message_key") == [(2,)]
    assert replayed(database, first.uuid).accepted_now
    assert codes(database) == ["HIS_ADMITTED", "CONSULTATION"]
    known = send(database, value)
    assert (known.outcome, known.uuid) == ("repeated", first.uuid)


def test_a_payload_we_failed_to_read_is_taken_when_it_is_sent_again(database: Database) -> None:
    value = payload()
    first = failing(database, value)
    taken = send(database, value)
    assert (taken.outcome, is_refused(taken)) == ("accepted", False)
    assert taken.uuid != first.uuid
    with pytest.raises(Conflict):
        replayed(database, first.uuid)


def hook(
    database: Database, value: dict[str, Any], *, failed: bool = False, signed_id: str = "msg_1"
) -> Receipt:
    """What the webhooks' door does; `failed`: with a fault of ours."""
    door = Door(source="his", signed_id=signed_id)
    arrival = an_arrival(raw_of(value), Kind.WEBHOOK, door=door)
    if not failed:
        return take(arrival, INTAKE, database)
    return keep_alone(database, webhooks._judged(CheckedBody(is_json=False, failed=True), arrival, INTAKE))


def test_a_webhook_we_failed_to_read_is_taken_by_a_replay_under_the_name_it_came_with(
    database: Database,
) -> None:
    value = webhook(event_id=None)
    kept = hook(database, value, failed=True)
    assert kept.outcome == "refused"
    done = replayed(database, kept.uuid)
    assert (done.accepted_now, done.envelopes, codes(database)) == (True, 1, ["VISIT_STARTED"])
    assert not is_processed(database, kept.uuid)
    again = hook(database, value)
    assert (again.outcome, again.uuid) == ("repeated", kept.uuid)
    assert replayed(database, kept.uuid).accepted_now is False
    assert len(codes(database)) == 1


def test_an_ignored_webhook_that_a_replay_takes_is_processed(database: Database) -> None:
    kept = hook(database, webhook(event="COFFEE_SERVED"), failed=True)
    assert replayed(database, kept.uuid).accepted_now
    assert is_processed(database, kept.uuid)


def test_a_webhook_that_came_again_meanwhile_is_not_taken_twice(database: Database) -> None:
    value = webhook()
    kept = hook(database, value, failed=True)
    assert hook(database, value).outcome == "accepted"
    with pytest.raises(Conflict, match="under its id"):
        replayed(database, kept.uuid)
    assert len(codes(database)) == 1


def test_another_webhook_under_a_known_id_is_not_taken_by_a_replay(database: Database) -> None:
    hook(database, webhook(event_id="E1"))
    kept = hook(database, webhook(event_id="E1"))
    assert kept.outcome == "conflict"
    with pytest.raises(Conflict, match="its id belongs to message"):
        replayed(database, kept.uuid)
    failed = hook(database, webhook(event_id="E1"), failed=True)
    with pytest.raises(Conflict, match="under its id"):
        replayed(database, failed.uuid)
    assert len(codes(database)) == 1


def test_a_webhook_that_still_does_not_fit_stays_refused(database: Database) -> None:
    kept = hook(database, webhook(occurred_at="2025-06-05T11:06:00"))
    done = replayed(database, kept.uuid)
    assert (done.accepted_now, done.envelopes) == (False, 0)
    assert rows(database, "SELECT state FROM message") == [("refused",)]
