"""Replays of HIS payloads: what was refused is taken once it can be, and nothing is told twice."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict
from dhos_connector_api.intake import replay
from dhos_connector_api.messages import store
from dhos_connector_api.replay_json import replay_json
from dhos_connector_api.site import Hospital, Site
from tests.his_builders import INTAKE, MAIN, NORTH, SITE, payload, stay, visit
from tests.his_doors import codes, published, rows, send


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
