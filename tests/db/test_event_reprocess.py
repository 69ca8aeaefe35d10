"""Reprocessing, and what a change of mappings does to stored events: no effect twice, none missed."""

import json
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.actions.integration_event import envelope_id
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict, NotFound
from dhos_connector_api.events import mappings, reprocess, store
from dhos_connector_api.events.reprocess import Meaning, Preview
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.messages import store as messages
from tests.builders import later
from tests.event_builders import kept_event, published, waiting

OPD = {"event_code": "OPD", "default_code": "OPD", "canonical_code": "OPD"}


def map_to(database: Database, canonical: str | None, *, source: str = "HIS", code: str = " opd ") -> UUID:
    """The id of the mapping of that code."""
    with database.statements() as connection:
        row = mappings.put(
            connection,
            uuid4(),
            source_system=source,
            event_code=code,
            canonical_code=canonical,
            at=later(),
            by="test",
        )
    id_: UUID = row["id"]
    return id_


def again(database: Database, event: NewEvent, *, source: str | None = None) -> None:
    with database.transaction() as connection:
        reprocess.reprocess(connection, event.id, source=source, at=later())


def applied(database: Database, *, limit: int = 100) -> int:
    with database.transaction() as connection:
        meaning = reprocess.meaning_now(connection, "his", "OPD")
        return reprocess.apply(connection, meaning, limit=limit, at=later())


def previewed(database: Database, canonical: str | None, *, mapped: bool = True) -> Preview:
    with database.statements() as connection:
        return reprocess.preview(connection, Meaning("his", "OPD", mapped, canonical))


def test_reprocessing_publishes_again_under_the_same_id(database: Database) -> None:
    event = kept_event(database, **OPD)
    published(database)
    again(database, event)
    assert waiting(database) == [(event.envelope_id, "OPD")]


def test_reprocessing_after_its_envelope_was_pruned_says_the_same_under_the_same_id(
    database: Database,
) -> None:
    event = kept_event(database, **OPD, companions=[{"name": "process_patient", "data": {}}])
    with database.transaction() as connection:
        body = connection.execute(text("SELECT body FROM outbox")).scalar_one()
        connection.execute(text("DELETE FROM outbox"))
    again(database, event)
    with database.statements() as connection:
        again_body = connection.execute(text("SELECT body FROM outbox")).scalar_one()
    assert json.loads(bytes(again_body)) == json.loads(bytes(body))
    assert waiting(database) == [(event.envelope_id, "OPD")]


def test_a_new_meaning_is_told_once_however_often_it_is_reprocessed(database: Database) -> None:
    event = kept_event(database, **OPD)
    published(database)
    map_to(database, "VISIT_STARTED")
    for _ in range(2):
        again(database, event)
    assert waiting(database) == [(envelope_id(event.id, "VISIT_STARTED"), "VISIT_STARTED")]
    published(database)
    again(database, event)
    assert waiting(database) == [(envelope_id(event.id, "VISIT_STARTED"), "VISIT_STARTED")]


def test_an_old_meaning_that_still_waits_is_withdrawn(database: Database) -> None:
    event = kept_event(database, **OPD)
    map_to(database, "VISIT_STARTED")
    again(database, event)
    assert [code for _, code in waiting(database)] == ["VISIT_STARTED"]
    map_to(database, None)
    again(database, event)
    assert waiting(database) == []
    with database.statements() as connection:
        row = store.get(connection, event.id)
    assert row is not None
    assert (row["status"], row["canonical_code"], row["envelope_id"]) == ("ignored", None, None)


def test_a_new_meaning_has_to_be_processed_anew_and_none_has_not(database: Database) -> None:
    event = kept_event(database, **OPD)
    published(database)
    with database.transaction() as connection:
        messages.mark_processed(connection, event.id, by="platform", at=later())
    seen = []
    for canonical in ("VISIT_STARTED", None, "OTHER"):
        map_to(database, canonical)
        again(database, event)
        published(database)
        with database.statements() as connection:
            row, message = store.get(connection, event.id), messages.get(connection, event.id)
        assert row is not None
        assert message is not None
        seen.append((row["status"], message["is_processed"], message["processed_at"] is not None))
    assert seen == [("processing", False, False), ("ignored", True, True), ("processing", False, False)]


def test_what_was_ignored_is_told_when_it_means_something(database: Database) -> None:
    event = kept_event(database, **(OPD | {"default_code": None, "canonical_code": None}))
    again(database, event)
    assert waiting(database) == []
    map_to(database, "VISIT_STARTED")
    again(database, event)
    assert [code for _, code in waiting(database)] == ["VISIT_STARTED"]


def test_a_meaning_that_comes_back_is_not_told_a_second_time(database: Database) -> None:
    kept_event(database, **OPD)
    published(database)
    for canonical in ("VISIT_STARTED", "OPD"):
        map_to(database, canonical)
        assert applied(database) == 1
        published(database)
    assert waiting(database) == []


def test_applying_changes_only_what_means_something_else_now(database: Database) -> None:
    events = [kept_event(database, **OPD) for _ in range(5)]
    kept_event(database)
    kept_event(database, **OPD, source_system="lis")
    kept_event(database, **OPD, error="not understood")
    published(database)
    map_to(database, "VISIT_STARTED")
    assert applied(database, limit=3) == 3
    assert applied(database, limit=3) == 2
    assert applied(database, limit=3) == 0
    assert waiting(database) == [(envelope_id(each.id, "VISIT_STARTED"), "VISIT_STARTED") for each in events]


def test_a_preview_changes_nothing_and_says_what_would_change(database: Database) -> None:
    events = [kept_event(database, **(OPD | {"event_code": code})) for code in ("OPD", "opd", "OPD")]
    before = waiting(database)
    found = previewed(database, "VISIT_STARTED")
    assert (found.stored, found.changing) == (3, 3)
    first = found.examples[0]
    assert (first["id"], first["from"], first["to"]) == (events[-1].id, "OPD", "VISIT_STARTED")
    assert previewed(database, "OPD").changing == 0
    assert previewed(database, None).changing == 3
    assert previewed(database, None, mapped=False).changing == 0
    assert waiting(database) == before


def test_taking_a_mapping_away_gives_events_their_default_back(database: Database) -> None:
    kept_event(database, **OPD)
    id_ = map_to(database, "VISIT_STARTED")
    assert applied(database) == 1
    with database.statements() as connection:
        mappings.delete(connection, id_)
    assert previewed(database, None, mapped=False).changing == 1
    assert applied(database) == 1
    assert [code for _, code in waiting(database)] == ["OPD"]


def test_mappings_are_compared_without_case_and_changed_in_place(database: Database) -> None:
    assert map_to(database, "A") == map_to(database, "B", source="his", code="OPD")
    with database.statements() as connection:
        known = mappings.load(connection, {" His "})
        assert [row["canonical_code"] for row in mappings.listed(connection, "hIs")] == ["B"]
        assert list(mappings.listed(connection, "lis")) == []
    assert known.meaning("HIS", "Opd ", "x") == "B"
    assert known.meaning("his", "other", "x") == "x"


def test_what_cannot_be_reprocessed_is_said(database: Database) -> None:
    failed, other = kept_event(database, error="not understood"), kept_event(database, source_system="lis")
    with pytest.raises(Conflict):
        again(database, failed)
    with pytest.raises(NotFound):
        again(database, other, source="his")
    with database.statements() as connection, pytest.raises(NotFound):
        mappings.delete(connection, uuid4())
    again(database, other, source="LIS")
