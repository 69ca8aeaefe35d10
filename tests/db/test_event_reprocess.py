"""Reprocessing, and what a change of mappings does to stored events: no effect twice, none missed."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api import clock
from dhos_connector_api.actions.process_event import envelope_id
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import NotFound
from dhos_connector_api.events import mappings, meanings, store
from dhos_connector_api.events.meanings import Preview
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.intake import reprocess
from dhos_connector_api.intake.replay import replay
from dhos_connector_api.messages import store as messages
from dhos_connector_api.messages.kinds import Kind
from dhos_connector_api.site.model import His, Site
from tests.builders.event import kept_event, new_event, published, waiting
from tests.builders.intake import INTAKE
from tests.builders.rows import WINDOW, effects, later, new_message
from tests.rigs.meanings import SITE, applied, map_to

OPD = {"event_code": "OPD", "default_code": "OPD", "canonical_code": "OPD"}


def again(database: Database, event: NewEvent, *, source: str | None = None, site: Site = SITE) -> None:
    with database.transaction() as connection:
        reprocess.reprocess(connection, event.id, site, source=source, at=later())


def previewed(
    database: Database,
    canonical: str | None,
    *,
    mapped: bool = True,
    site: Site = SITE,
    code: str = "OPD",
) -> Preview:
    with database.statements() as connection:
        meaning = reprocess.meaning(site, "his", code, mapped=mapped, canonical_code=canonical)
        return meanings.preview(connection, meaning)


def processed(database: Database, event: NewEvent) -> None:
    """Its envelope published, and a consumer has said so."""
    published(database)
    with database.transaction() as connection:
        messages.mark_processed(connection, event.message, by="platform", at=later())


def shown(database: Database, event: NewEvent) -> Any:
    with database.statements() as connection:
        return store.get(connection, event.id)


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
    assert waiting(database) == [(envelope_id(event.id, 1), "VISIT_STARTED")]
    published(database)
    again(database, event)
    assert waiting(database) == [(envelope_id(event.id, 1), "VISIT_STARTED")]


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


def test_every_change_of_meaning_is_told_once_also_one_that_comes_back(database: Database) -> None:
    event = kept_event(database, **OPD)
    processed(database, event)
    told = [str(event.envelope_id)]
    for canonical in ("WRONG", "OPD", "WRONG", None, "OPD"):
        map_to(database, canonical)
        assert [applied(database) for _ in range(2)] == [1, 0]
        assert [code for _, code in waiting(database)] == ([canonical] if canonical else [])
        told += [str(id_) for id_, _ in waiting(database)]
        processed(database, event)
        assert shown(database, event)["status"] == ("processed" if canonical else "ignored")
        again(database, event)
        assert [str(id_) for id_, _ in waiting(database)] == (told[-1:] if canonical else [])
        published(database)
    assert len(set(told)) == len(told) == 5


def test_of_many_that_apply_at_once_one_tells(database: Database) -> None:
    events = [kept_event(database, **OPD) for _ in range(20)]
    for canonical in ("A", "B", "A"):
        published(database)
        map_to(database, canonical)
        with ThreadPoolExecutor(8) as threads:
            applying = [threads.submit(applied, database) for _ in range(8)]
            for each in [threads.submit(again, database, event) for event in events for _ in range(3)]:
                each.result()
        assert sum(each.result() for each in applying) <= len(events)
        assert [code for _, code in waiting(database)] == [canonical] * len(events)
    with database.statements() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 4 * len(events)


def test_events_of_one_message_are_published_again_in_the_order_in_which_they_came(
    database: Database,
) -> None:
    at, message = later(), new_message(kind=Kind.EVENT)
    codes = [f"E{number}" for number in range(30)]
    events = [
        new_event(id=clock.new_uuid(at), canonical_code=code, kept=None, message_uuid=message.uuid)
        for code in codes
    ]
    with database.transaction() as connection:
        messages.insert(connection, message, effects(message, envelopes=[]), window=WINDOW)
        store.insert(connection, events)
        connection.execute(text("UPDATE integration_event SET default_code = canonical_code"))
        connection.execute(text("DELETE FROM outbox"))
    assert replay(database, message.uuid, replace(INTAKE, site=SITE), by="test").envelopes == len(events)
    assert [code for _, code in waiting(database)] == codes


MASSAGE = {"event_code": "Massage", "default_code": None, "canonical_code": None}
TOLD_BY_HIS = {"sender": "his|ALH-MAIN", "payload": {"Type": "Massage", "BillDate": "2025-06-05T11:06:00"}}
WITH_MASSAGE = Site(his=His(visit_types={"massage": "MASSAGE"}))


def a_visit(database: Database, **changes: Any) -> NewEvent:
    """A visit as a HIS payload tells of it: the patient is in its envelope too."""
    patient = {"name": "process_patient", "data": {}}
    return kept_event(database, **(MASSAGE | TOLD_BY_HIS | {"companions": [patient]} | changes))


def test_a_type_of_visit_that_the_site_adds_later_is_told(database: Database) -> None:
    one, other = (a_visit(database, event_code=code) for code in ("Massage", "MASSAGE"))
    assert previewed(database, None, mapped=False, code="Massage").changing == 0
    found = previewed(database, None, mapped=False, code="Massage", site=WITH_MASSAGE)
    assert (found.stored, found.changing, {each["to"] for each in found.examples}) == (2, 2, {"MASSAGE"})
    again(database, one, site=WITH_MASSAGE)
    assert [code for _, code in waiting(database)] == ["MASSAGE"]
    assert [applied(database, site=WITH_MASSAGE, code="massage") for _ in range(2)] == [1, 0]
    assert [id_ for id_, _ in waiting(database)] == [envelope_id(each.id, 1) for each in (one, other)]


def test_the_sites_visits_are_the_default_of_visits_that_have_none_alone(database: Database) -> None:
    webhook = kept_event(database, **MASSAGE)
    lis = a_visit(database, source_system="lis")
    known = a_visit(database, default_code="RUB", canonical_code="RUB")
    mapped = a_visit(database)
    published(database)
    for each in (webhook, lis, known):
        again(database, each, site=WITH_MASSAGE)
    assert [code for _, code in waiting(database)] == ["RUB"]
    map_to(database, "MAPPED", code="massage")
    again(database, mapped, site=WITH_MASSAGE)
    assert [code for _, code in waiting(database)] == ["RUB", "MAPPED"]


def test_a_message_that_events_share_waits_again_for_what_one_of_them_means_now(database: Database) -> None:
    message = new_message()
    with database.statements() as connection:
        assert messages.insert(connection, message, effects(message), window=WINDOW)
    event = a_visit(database, event_code="Massage", kept=None, message_uuid=message.uuid)
    processed(database, event)
    assert applied(database, site=WITH_MASSAGE, code="massage") == 1
    published(database)
    assert shown(database, event)["status"] == "processing"
    processed(database, event)
    assert shown(database, event)["status"] == "processed"


def test_large_events_are_given_their_meaning_in_small_groups(database: Database) -> None:
    """They are compressed a hundredfold where they are stored, and as long as they are in memory."""
    sizes = [reprocess.MOST_BYTES // 3, 10, reprocess.MOST_BYTES // 2, 2 * reprocess.MOST_BYTES, 10, 10]
    events = [kept_event(database, payload={"note": "x" * size}, **OPD) for size in sizes]
    map_to(database, "VISIT_STARTED")
    groups = []
    while done := applied(database):
        groups.append(done)
    assert groups == [3, 1, 2]
    assert {shown(database, each)["canonical_code"] for each in events} == {"VISIT_STARTED"}


def test_applying_changes_only_what_means_something_else_now(database: Database) -> None:
    events = [kept_event(database, **OPD) for _ in range(5)]
    kept_event(database)
    kept_event(database, **OPD, source_system="lis")
    published(database)
    map_to(database, "VISIT_STARTED")
    assert applied(database, limit=3) == 3
    assert applied(database, limit=3) == 2
    assert applied(database, limit=3) == 0
    assert waiting(database) == [(envelope_id(each.id, 1), "VISIT_STARTED") for each in events]


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
    other = kept_event(database, source_system="lis", default_code="LAB", canonical_code="LAB")
    with pytest.raises(NotFound):
        again(database, other, source="his")
    with database.statements() as connection, pytest.raises(NotFound):
        mappings.delete(connection, uuid4())
    again(database, other, source="LIS")
