"""Replays of HIS payloads and webhooks: what was refused is taken once it can be, nothing twice."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict
from dhos_connector_api.intake import receive_webhook, replay
from dhos_connector_api.intake.judge_his import judge
from dhos_connector_api.intake.receive_his import keep, repeated
from dhos_connector_api.intake.replay_json import replay_json
from dhos_connector_api.messages import store
from dhos_connector_api.site.model import Hospital, Site
from dhos_connector_api.spec.kept_body import Shape
from tests.builders.his import INTAKE, MAIN, NORTH, SITE, payload, raw_of, shape_of, stay, visit, webhook
from tests.rigs.his_doors import codes, published, rows, send


def test_a_replay_takes_what_was_refused_once_the_site_is_mended(database: Database) -> None:
    good, lost = stay(), stay(HospitalID="9", HospitalName="Elsewhere")
    partly = send(database, payload(good, lost, visits=[]))
    refused = send(database, payload(visits=[visit("Massage")]), replace(INTAKE, site=Site()))
    mended = Site(his=replace(SITE.his, hospitals=(MAIN, NORTH, Hospital("X", "Elsewhere"))))
    for receipt, accepted_now in ((partly, False), (refused, True)):
        with database.statements() as connection:
            stored = replay.load(connection, receipt.message_uuid)
        done = replay_json(database, stored, replace(INTAKE, site=mended), by="test")
        assert done.accepted_now is accepted_now
        with database.statements() as connection:
            row = store.get(connection, receipt.message_uuid)
        assert row is not None
        assert row["state"] == "accepted"
    assert codes(database) == ["HIS_ADMITTED"] * 3
    assert len({each["actions"][-1]["data"]["event_uuid"] for each in published(database)}) == 3


def test_a_replay_publishes_under_the_ids_it_has_always_had(database: Database) -> None:
    receipt = send(database, payload())
    before = rows(database, "SELECT id FROM outbox ORDER BY id")
    with database.transaction() as connection:
        connection.execute(text("UPDATE outbox SET published_at = now()"))
        stored = replay.load(connection, receipt.message_uuid)
    assert replay_json(database, stored, INTAKE, by="test").envelopes == 2
    assert rows(database, "SELECT id FROM outbox WHERE published_at IS NULL ORDER BY id") == before


def test_a_payload_accepted_as_another_message_meanwhile_is_not_taken_twice(database: Database) -> None:
    value = payload()
    refused = send(database, value, replace(INTAKE, site=Site()))
    send(database, value)
    with database.statements() as connection:
        stored = replay.load(connection, refused.message_uuid)
    with pytest.raises(Conflict):
        replay_json(database, stored, INTAKE, by="test")
    assert len(published(database)) == 2


def replayed(database: Database, uuid: UUID) -> replay.Replayed:
    with database.statements() as connection:
        stored = replay.load(connection, uuid)
    return replay_json(database, stored, INTAKE, by="test")


def is_processed(database: Database, uuid: UUID) -> bool:
    with database.statements() as connection:
        row = store.get(connection, uuid)
    assert row is not None
    assert row["state"] == "accepted"
    return bool(row["is_processed"])


def test_a_replay_that_queues_something_waits_for_its_consumers_again(database: Database) -> None:
    good, lost = stay(), stay(HospitalID="9", HospitalName="Elsewhere")
    send(database, payload(good, visits=[]))
    partly = send(database, payload(good, lost, visits=[]))
    assert is_processed(database, partly.message_uuid)
    mended = Site(his=replace(SITE.his, hospitals=(MAIN, NORTH, Hospital("X", "Elsewhere"))))
    with database.statements() as connection:
        stored = replay.load(connection, partly.message_uuid)
    replay_json(database, stored, replace(INTAKE, site=mended), by="test")
    assert not is_processed(database, partly.message_uuid)


def test_a_replay_that_accepts_and_queues_nothing_is_processed_at_once(database: Database) -> None:
    entry, seen = stay(), visit()
    refused = send(database, payload(entry, visits=[seen]), replace(INTAKE, site=Site()))
    send(database, payload(entry | {"MobileNo": "0501"}, visits=[seen]))
    assert replayed(database, refused.message_uuid).accepted_now
    assert is_processed(database, refused.message_uuid)


def failing(database: Database, value: dict[str, Any]) -> Any:
    """What the door does with a payload that a fault of ours keeps it from reading."""
    shape = Shape(is_json=False, failed=True)
    received = judge(raw_of(value), shape, INTAKE, created_by="his", correlation_id="request-1")
    with database.transaction() as connection:
        return keep(connection, received) or repeated(connection, received)


def test_a_payload_we_failed_to_read_is_kept_once_and_taken_when_it_can_be_read(database: Database) -> None:
    value = payload()
    first = failing(database, value)
    for _ in range(2):
        again = failing(database, value)
        assert (again.repeated, again.is_refused) == (True, True)
        assert again.message_uuid == first.message_uuid
    assert rows(database, "SELECT count(*) FROM message_body") == [(1,)]
    assert rows(database, "SELECT repeats FROM message_key") == [(2,)]
    assert replayed(database, first.message_uuid).accepted_now
    assert codes(database) == ["HIS_ADMITTED", "CONSULTATION"]
    known = send(database, value)
    assert (known.repeated, known.message_uuid) == (True, first.message_uuid)


def test_a_payload_we_failed_to_read_is_taken_when_it_is_sent_again(database: Database) -> None:
    value = payload()
    first = failing(database, value)
    taken = send(database, value)
    assert (taken.repeated, taken.is_refused) == (False, False)
    assert taken.message_uuid != first.message_uuid
    with pytest.raises(Conflict):
        replayed(database, first.message_uuid)


def hook(database: Database, value: dict[str, Any], *, failed: bool = False, signed_id: str = "msg_1") -> Any:
    """What the webhooks' door does; `failed`: with a fault of ours."""
    shape = Shape(is_json=False, failed=True) if failed else shape_of(value)
    received = receive_webhook.receive(
        raw_of(value), shape, "his", signed_id=signed_id, correlation_id="request-1"
    )
    with database.transaction() as connection:
        return receive_webhook.keep(connection, received)


def test_a_webhook_we_failed_to_read_is_taken_by_a_replay_under_the_name_it_came_with(
    database: Database,
) -> None:
    value = webhook(event_id=None)
    kept = hook(database, value, failed=True)
    assert kept.outcome == "refused"
    done = replayed(database, kept.message_uuid)
    assert (done.accepted_now, done.envelopes, codes(database)) == (True, 1, ["VISIT_STARTED"])
    assert not is_processed(database, kept.message_uuid)
    again = hook(database, webhook(event_id=None))
    assert (again.outcome, again.message_uuid) == ("repeated", kept.message_uuid)
    assert replayed(database, kept.message_uuid).accepted_now is False
    assert len(codes(database)) == 1


def test_an_ignored_webhook_that_a_replay_takes_is_processed(database: Database) -> None:
    kept = hook(database, webhook(event="COFFEE_SERVED"), failed=True)
    assert replayed(database, kept.message_uuid).accepted_now
    assert is_processed(database, kept.message_uuid)


def test_a_webhook_that_came_again_meanwhile_is_not_taken_twice(database: Database) -> None:
    value = webhook()
    kept = hook(database, value, failed=True)
    assert hook(database, value).outcome == "accepted"
    with pytest.raises(Conflict):
        replayed(database, kept.message_uuid)
    assert len(codes(database)) == 1


def test_a_webhook_that_still_does_not_fit_stays_refused(database: Database) -> None:
    kept = hook(database, webhook(occurred_at="2025-06-05T11:06:00"))
    done = replayed(database, kept.message_uuid)
    assert (done.accepted_now, done.envelopes) == (False, 0)
    assert rows(database, "SELECT state FROM message") == [("refused",)]
