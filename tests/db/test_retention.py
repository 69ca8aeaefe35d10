"""What has had its time goes, and nothing that somebody waits for: every rule on a real PostgreSQL."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.access import store as access
from dhos_connector_api.app.incoming import IntakeSource
from dhos_connector_api.auth.api_keys import MadeKey
from dhos_connector_api.clock import new_uuid
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import BadSetting, BadSite, NotFound
from dhos_connector_api.events import store as events
from dhos_connector_api.intake.replay_hl7 import replay_hl7
from dhos_connector_api.intake.stored import load
from dhos_connector_api.intake.take import read_one
from dhos_connector_api.messages import search, store
from dhos_connector_api.outbox import store as outbox
from dhos_connector_api.retention import passes, periodic
from dhos_connector_api.retention import store as records
from dhos_connector_api.retention.gauges import gauges
from dhos_connector_api.site.model import Inbound, Site
from dhos_connector_api.workers.housekeeping import Housekeeping
from tests.builders import delivery as deliveries
from tests.builders.event import new_event
from tests.builders.hl7 import adt
from tests.builders.intake import INTAKE
from tests.builders.old import LONG_AGO, NOW, old_message, run, uuids
from tests.builders.outbox import put
from tests.builders.rows import effects, new_message, settings

DAYS = {
    "message_body_retention": "90d",
    "message_retention": "120d",
    "delivery_retention": "100d",
    "event_retention": "100d",
}
KEPT = settings(**DAYS, unprocessed_counts="all")
YOUNG = NOW - timedelta(days=80)


def keep_house(database: Database, kept: Settings = KEPT) -> int:
    """Do every piece of retention; how many steps that took."""
    keeper = Housekeeping(database, periodic.jobs(kept), now=lambda: NOW, monotonic=lambda: 0.0)
    steps = 1
    while keeper.step():
        steps += 1
    return steps


def totals(database: Database) -> dict[str, int]:
    with database.statements() as connection:
        return {each["name"]: each["removed"] for each in records.totals(connection) if each["removed"]}


def test_without_settings_everything_is_kept_for_ever(database: Database) -> None:
    assert [each.name for each in periodic.jobs(settings())] == ["remove old rows: api_key"]


def test_an_old_message_goes_with_its_body_its_key_and_its_search_entries(database: Database) -> None:
    old_message(database)
    young = old_message(database, at=YOUNG)
    keep_house(database)
    assert uuids(database) == {young.uuid}
    for table in ("message_body", "message_key", "message_identifier"):
        assert uuids(database, table, "message_uuid") == {young.uuid}
    found = totals(database)
    assert (found["message"], found["message_identifier"]) == (1, 1)


def _with_envelope(database: Database, *, dead: bool = False, published: bool = False) -> UUID:
    message = old_message(database)
    with database.transaction() as connection:
        ids = put(connection, message_uuid=message.uuid)
        if dead:
            outbox.mark_dead(connection, ids, at=NOW, error="too large")
        if published:
            outbox.settle(connection, ids, at=NOW)
    return message.uuid


def _with_delivery(database: Database, state: str) -> UUID:
    delivery = deliveries.queue(database, at=LONG_AGO)
    run(database, "UPDATE delivery SET state = :state, settled_at = created", state=state)
    run(
        database,
        "UPDATE message SET state = CASE :state WHEN 'dead' THEN 'dead' ELSE 'queued' END",
        state=state,
    )
    with database.statements() as connection:
        query = text("SELECT message_uuid FROM delivery WHERE uuid = :uuid")
        return UUID(str(connection.execute(query, {"uuid": delivery}).scalar_one()))


def _with_young_key(database: Database) -> UUID:
    message = old_message(database)
    run(database, "UPDATE message_key SET claimed_at = :at", at=NOW - timedelta(days=1))
    return message.uuid


@pytest.mark.parametrize(
    ("keep", "keeps_body"),
    [
        pytest.param(lambda database: old_message(database, processed=False).uuid, True, id="unprocessed"),
        pytest.param(_with_envelope, True, id="envelope waits"),
        pytest.param(lambda database: _with_envelope(database, dead=True), True, id="envelope dead"),
        pytest.param(lambda database: _with_envelope(database, published=True), False, id="published lately"),
        pytest.param(lambda database: _with_delivery(database, "waiting"), True, id="delivery waits"),
        pytest.param(lambda database: _with_delivery(database, "sending"), True, id="delivery under way"),
        pytest.param(lambda database: _with_delivery(database, "dead"), True, id="delivery dead"),
        pytest.param(_with_young_key, False, id="its key was claimed lately"),
    ],
)
def test_what_somebody_waits_for_stays(
    database: Database, keep: Callable[[Database], UUID], keeps_body: bool
) -> None:
    uuid = keep(database)
    keep_house(database)
    assert uuid in uuids(database)
    assert (uuid in uuids(database, "message_body", "message_uuid")) == keeps_body


@pytest.mark.parametrize(
    ("counts", "left"), [("all", {"ADT_A01", "ADT_A29", None}), ("full", {"ADT_A01"}), ("none", set())]
)
def test_what_nobody_is_expected_to_process_is_not_waited_for(
    database: Database, counts: str, left: set[str | None]
) -> None:
    for code in ("ADT_A01", "ADT_A29", None):
        old_message(database, processed=False, event_code=code)
    keep_house(database, settings(**DAYS, unprocessed_counts=counts))
    with database.statements() as connection:
        assert set(connection.execute(text("SELECT event_code FROM message")).scalars()) == left
        bodies = connection.execute(text("SELECT count(*) FROM message_body")).scalar_one()
    assert bodies == len(left)


def test_a_message_stays_as_long_as_its_delivery_and_goes_with_the_next_pass(database: Database) -> None:
    deliveries.queue(database, at=LONG_AGO)
    run(database, "UPDATE delivery SET state = 'delivered', settled_at = :at", at=YOUNG)
    run(database, "UPDATE message SET state = 'delivered'")
    run(database, "INSERT INTO delivery_attempt SELECT uuid, 1, created FROM delivery")
    keep_house(database)
    assert len(uuids(database)) == len(uuids(database, "delivery")) == 1
    run(database, "UPDATE delivery SET settled_at = :at", at=LONG_AGO)
    keep_house(database)
    assert not uuids(database)
    assert not uuids(database, "delivery")
    assert not uuids(database, "delivery_attempt", "delivery_uuid")


def test_what_came_after_a_delivery_that_can_be_retried_stays_known(database: Database) -> None:
    older, newer = (deliveries.queue(database, at=LONG_AGO, series="set") for _ in range(2))
    run(database, "UPDATE delivery SET state = 'delivered', settled_at = created WHERE uuid = :id", id=newer)
    run(database, "UPDATE delivery SET state = 'dead', settled_at = created WHERE uuid = :id", id=older)
    keep_house(database)
    assert uuids(database, "delivery") == {older, newer}
    run(database, "UPDATE delivery SET state = 'cancelled' WHERE uuid = :id", id=older)
    keep_house(database)
    assert not uuids(database, "delivery")


def _keep_event(
    database: Database, *, at: datetime = LONG_AGO, encounter: str = "V1", done: bool = True
) -> UUID:
    event = new_event(id=new_uuid(at), received_at=at, occurred_at=at, encounter_id=encounter)
    with database.statements() as connection:
        events.insert(connection, [event])
    if done:
        run(database, "DELETE FROM outbox")
        run(database, "UPDATE message SET is_processed = true WHERE uuid = :uuid", uuid=event.id)
    return event.id


def test_an_event_goes_when_it_was_applied_and_its_stay_is_over(database: Database) -> None:
    _keep_event(database, encounter="OVER")
    going_on = _keep_event(database, encounter="GOES ON")
    newer = _keep_event(database, encounter="goes on", at=YOUNG)
    not_applied = _keep_event(database, encounter="OTHER")
    run(database, "UPDATE message SET is_processed = false WHERE uuid = :uuid", uuid=not_applied)
    waits = _keep_event(database, encounter="WAITS", done=False)
    run(database, "UPDATE message SET is_processed = true WHERE uuid = :uuid", uuid=waits)
    keep_house(database)
    assert uuids(database, "integration_event", "id") == {going_on, newer, not_applied, waits}
    assert uuids(database) == {going_on, newer, not_applied, waits}
    assert totals(database)["integration_event"] == 1


def test_a_merge_stays_as_long_as_anything_is_found_through_it(database: Database) -> None:
    old_message(database)
    young = old_message(database, at=YOUNG)
    with database.statements() as connection:
        value = connection.execute(
            text("SELECT value FROM message_identifier WHERE message_uuid = :uuid"), {"uuid": young.uuid}
        ).scalar_one()
    merge = (
        "INSERT INTO identifier_merge SELECT 'MRN', :surviving, :old, uuid FROM message WHERE uuid <> :young"
    )
    run(database, merge, surviving="NEW", old=value, young=young.uuid)
    run(database, merge, surviving="NEW", old="NOBODY", young=young.uuid)
    run(database, merge, surviving=value, old="CHAINED", young=young.uuid)
    keep_house(database)
    assert {str(each) for each in uuids(database, "identifier_merge", "old")} == {value}
    with database.statements() as connection:
        page = search.by_identifier(connection, "MRN", "NEW", limit=10, before=None)
    assert [row["uuid"] for row in page.rows] == [young.uuid]


def test_a_piece_is_bounded_and_what_stays_is_passed_by(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "PIECE", 2)
    stays = [old_message(database, processed=False).uuid for _ in range(3)]
    for _ in range(4):
        old_message(database)
    most = []
    job = next(each for each in periodic.jobs(KEPT) if each.name.endswith(": message"))
    more = True
    while more:
        before = len(uuids(database))
        with database.transaction() as connection:
            more = job.step(connection, NOW)
        most.append(before - len(uuids(database)))
    assert uuids(database) == set(stays)
    assert max(most) <= 2
    assert sum(most) == 4


def test_what_went_is_recorded_logged_and_counted_without_saying_what_it_was(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dhos_connector_api.retention")
    old_message(database, message_control_id="CANARY-1", at=LONG_AGO - timedelta(days=9))
    old_message(database, message_control_id="CANARY-2")
    keep_house(database)
    with database.statements() as connection:
        (record,) = [each for each in records.totals(connection) if each["name"] == "message"]
        shown = {each.name: each.samples for each in gauges(KEPT, connection, NOW)}
    assert (record["removed"], record["finished_at"]) == (2, NOW)
    assert (record["oldest"], record["newest"]) == (LONG_AGO - timedelta(days=9), LONG_AGO)
    lines = [vars(each) for each in caplog.records if each.message == "removed what has had its time"]
    assert {"message", "message_identifier"} <= {each["table"] for each in lines}
    assert "CANARY" not in str(lines)
    (sample,) = [each for each in shown["connector_retention_removed"] if each.labels == {"table": "message"}]
    assert (sample.name, sample.value) == ("connector_retention_removed_total", 2)


def test_nothing_is_removed_while_it_is_replayed_nor_replayed_once_it_is_removed(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    message = old_message(database, received=adt(), content=None)
    with database.transaction() as replaying:
        stored = load(replaying, message.uuid)
        store.lock(replaying, [message.uuid])
        keep_house(database)
        assert uuids(database) == {message.uuid}
    assert "failed" not in caplog.text, "what is locked is passed by, and not waited for"
    read = read_one(stored.arrival, INTAKE)
    keep_house(database)
    assert not uuids(database)
    with database.transaction() as connection, pytest.raises(NotFound):
        replay_hl7(connection, stored, read, "test", force_new=False)  # type: ignore[arg-type]
    assert not uuids(database, "outbox", "id")


def test_a_control_id_is_known_as_long_as_its_window_says(database: Database) -> None:
    """With the shortest retention there may be: a day longer than the window, and it is a new message."""
    week = settings(
        message_body_retention="7d", message_retention="14d", delivery_retention="7d", event_retention="14d",
        hl7_duplicate_window="14d",
    )  # fmt: skip
    message = old_message(database, at=NOW - timedelta(days=13))
    keeper = Housekeeping(database, periodic.jobs(week), now=lambda: NOW)
    while keeper.step():
        pass
    again = new_message(at=NOW, message_control_id=message.message_control_id)
    with database.transaction() as connection:
        window = timedelta(days=14)
        assert not store.insert(connection, again, effects(again), window=window)
    assert uuids(database) == {message.uuid}


def test_a_site_may_not_know_a_control_id_for_longer_than_its_message() -> None:
    site = Site(inbound=Inbound(duplicate_window=121 * 86400.0))
    with pytest.raises(BadSite, match="MESSAGE_RETENTION"):
        IntakeSource(KEPT, lambda: site)
    assert IntakeSource(settings(), lambda: site)().duplicate_window == timedelta(days=121)


def test_api_keys_that_have_ended_are_forgotten_after_a_year_and_more(database: Database) -> None:
    ids = [uuid4() for _ in range(3)]
    with database.transaction() as connection:
        for number, each in enumerate(ids):
            made = MadeKey(f"key-{number}", bytes([number]), "hint")
            access.add(connection, each, made, source="his", at=LONG_AGO, by=None)
        access.revoke(connection, ids[0], at=NOW - timedelta(days=401), by=None)
        access.revoke(connection, ids[1], at=NOW - timedelta(days=399), by=None)
    keep_house(database)
    assert uuids(database, "api_key", "id") == set(ids[1:])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"message_body_retention": "121d"}, "MESSAGE_BODY_RETENTION"),
        ({"delivery_retention": "121d"}, "DELIVERY_RETENTION"),
        ({"event_retention": "121d"}, "EVENT_RETENTION"),
        ({"outbox_retention": "121d"}, "OUTBOX_RETENTION"),
        ({"hl7_duplicate_window": "121d"}, "HL7_DUPLICATE_WINDOW"),
        ({"delivery_retention": ""}, "DELIVERY_RETENTION is missing, and MESSAGE_RETENTION needs it"),
        ({"event_retention": "13d"}, "EVENT_RETENTION is too short"),
        ({"message_retention": "soon"}, "MESSAGE_RETENTION must be a duration"),
    ],
)
def test_what_would_go_before_what_depends_on_it_is_refused(changes: dict[str, str], named: str) -> None:
    with pytest.raises(BadSetting) as error:
        settings(**(DAYS | changes))
    assert named in error.value.text
    assert "\n" not in error.value.text
