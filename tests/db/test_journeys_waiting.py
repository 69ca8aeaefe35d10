"""Evidence that waits, is given up, or is noted as processed, on a real PostgreSQL."""

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dhos_connector_api.app.periodic import note_processed
from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.apply import Reader
from dhos_connector_api.messages import store as messages
from dhos_connector_api.px.journeys import evidence_store, journey_store, periodic
from dhos_connector_api.px.journeys.evidence import Name
from dhos_connector_api.px.journeys.on_event import CONSUMER, OnEvent
from dhos_connector_api.px.journeys.told import Rules
from dhos_connector_api.px.organizations import called
from tests.builders.encounters import FACILITY, HOSPITAL, a_hospital, at, letter
from tests.builders.journey_templates import a_template
from tests.builders.rows import WINDOW, effects, new_message
from tests.rigs.applied_journeys import STAGES, announced, apply, journeys, rows, set_up, visit

_STATES = "SELECT DISTINCT state, reason FROM evidence"


def test_evidence_waits_for_what_opens_its_journey(database: Database) -> None:
    set_up(database)
    opened, *later = visit()
    apply(database, *later)
    assert rows(database, "SELECT DISTINCT state, reason FROM evidence") == [("waiting", "no_journey")]
    apply(database, opened)
    assert rows(database, "SELECT DISTINCT state, reason FROM evidence") == [("applied", None)]
    assert journeys(database)[0][10] == 2


def test_evidence_that_waited_for_three_days_is_ignored_until_its_journey_opens(database: Database) -> None:
    set_up(database)
    opened, consulted, _ = visit()
    apply(database, consulted)
    with database.transaction() as connection:
        assert not periodic.give_up(connection, at(20) + timedelta(hours=71))
        assert _state(connection) == [("waiting", "no_journey")]
        periodic.give_up(connection, at(20) + timedelta(hours=73))
        assert _state(connection) == [("ignored", "no_journey")]
    apply(database, opened)
    assert rows(database, "SELECT DISTINCT state FROM evidence") == [("applied",)]


def _state(connection: Any) -> list[Any]:
    return [tuple(row) for row in connection.execute(text("SELECT state, reason FROM evidence"))]


def test_evidence_waits_for_its_hospital_and_its_template(database: Database) -> None:
    apply(database, *visit())
    assert rows(database, "SELECT DISTINCT state, reason FROM evidence") == [("waiting", "no_hospital")]
    with database.transaction() as connection:
        a_hospital(connection)
        periodic.apply_ripe(connection, now())
    assert rows(database, "SELECT DISTINCT state, reason FROM evidence") == [("waiting", "no_template")]
    with database.transaction() as connection:
        a_template(connection, HOSPITAL, STAGES)
        periodic.apply_ripe(connection, now())
    assert rows(database, "SELECT DISTINCT state, reason FROM evidence") == [("applied", None)]
    assert journeys(database)[0][10] == 2


def test_what_names_no_facility_waits_for_the_only_hospital(database: Database) -> None:
    apply(database, *visit(facility=None))
    assert rows(database, _STATES) == [("waiting", "no_hospital")]
    set_up(database)
    assert _apply_ripe(database) == 1
    assert rows(database, _STATES) == [("applied", None)]


def test_what_names_no_facility_waits_until_it_can_be_but_one_hospitals(database: Database) -> None:
    set_up(database)
    other = UUID(int=0x106)
    with database.transaction() as connection:
        a_hospital(connection, other, "H106", hl7v2="OTHER")
        a_template(connection, other, STAGES)
    apply(database, visit()[0], letter("ADT_A04", 5, facility="OTHER", encounter_type="O"))
    apply(database, letter("CONSULTATION", 20, facility=None))
    waiting = "SELECT reason FROM evidence WHERE state = 'waiting'"
    assert rows(database, waiting) == [("several_hospitals",)]
    assert _apply_ripe(database) == 0
    with database.transaction() as connection:
        connection.execute(text("UPDATE hospital SET status = 'inactive' WHERE id = :id"), {"id": other})
    assert _apply_ripe(database) == 1
    assert rows(database, waiting) == []


def test_evidence_is_looked_at_again_only_for_a_template_of_its_type(database: Database) -> None:
    set_up(database, opd=STAGES)
    apply(database, letter("ADT_A01", 0, encounter_type="I"), letter("ADT_A02", 5))
    assert rows(database, _STATES) == [("waiting", "no_template")]
    assert _ripe(database) == set()
    with database.transaction() as connection:
        a_template(connection, HOSPITAL, {"WARD": "ADT_A02"}, journey_type="inpatient")
    assert _apply_ripe(database) == 1
    assert journeys(database)[0][3] == "inpatient"


def test_evidence_is_looked_at_again_only_where_its_own_source_knows_the_hospital(database: Database) -> None:
    with database.transaction() as connection:
        a_hospital(connection, his=FACILITY)
    apply(database, *visit())
    assert _ripe(database) == set()
    with database.transaction() as connection:
        connection.execute(text("UPDATE hospital SET code = :code"), {"code": FACILITY})
    assert _ripe(database) == {Name("hospital", "V1")}


def test_what_the_site_says_of_a_source_says_which_template_is_waited_for(database: Database) -> None:
    with database.transaction() as connection:
        a_hospital(connection, emr=FACILITY)
        a_template(connection, HOSPITAL, STAGES)
    rules = Rules(source_types={"emr": "inpatient"})
    reader = Reader(database, CONSUMER, OnEvent(rules=lambda: rules, processed=lambda *_: None), now)
    reader.take([letter("VISIT_STARTED", 0, source="emr")])
    assert _ripe(database) == set()
    with database.transaction() as connection:
        a_template(connection, HOSPITAL, STAGES, journey_type="inpatient")
    assert _apply_ripe(database) == 1
    assert rows(database, "SELECT journey_type, status FROM journey_instance") == [("inpatient", "active")]


def test_all_that_waited_is_applied_at_once_when_it_can_be(database: Database) -> None:
    for number in range(220):
        apply(database, visit(f"V{number}")[0])
    set_up(database)
    assert _apply_ripe(database) > 1
    assert rows(database, "SELECT state, count(*) FROM evidence GROUP BY 1") == [("applied", 220)]


def _apply_ripe(database: Database) -> int:
    """Do the job until it has nothing more; return how often something came of it."""
    for times in count():
        with database.transaction() as connection:
            if not periodic.apply_ripe(connection, now()):
                return times
    raise AssertionError


def _ripe(database: Database) -> set[Name]:
    with database.statements() as connection:
        return evidence_store.ripe(connection, called.facilities(connection), 100)


def test_a_quiet_visit_ends_a_day_after_the_last_word(database: Database) -> None:
    set_up(database)
    apply(database, *visit())
    with database.transaction() as connection:
        periodic.close_quiet(connection, at(40) + timedelta(hours=23))
    assert journeys(database)[0][5] == "active"
    with database.transaction() as connection:
        assert not periodic.close_quiet(connection, at(40) + timedelta(hours=25))
        assert not periodic.close_quiet(connection, at(40) + timedelta(hours=25))
    assert journeys(database)[0][5:9] == ("completed", "silent", at(0), at(40) + timedelta(hours=24))
    assert announced(database)[-1] == ("journey_closed", None)


def test_messages_are_processed_once_nothing_of_them_waits(database: Database) -> None:
    set_up(database)
    rows = [new_message() for _ in range(3)]
    with database.transaction() as connection:
        for row in rows:
            messages.insert(connection, row, effects(row), window=WINDOW)
    waiting = letter("CONSULTATION", 20, message=rows[1].uuid)
    apply(database, waiting, letter("ADT_A31", 0, encounter_id=None, message=rows[2].uuid))
    assert _marked(database) == {rows[0].uuid: False, rows[1].uuid: False, rows[2].uuid: True}
    apply(database, letter("ADT_A04", 0, encounter_type="O", message=rows[0].uuid))
    assert set(_marked(database).values()) == {True}


def _marked(database: Database) -> dict[UUID, bool]:
    return dict(rows(database, "SELECT uuid, is_processed FROM message"))


def test_messages_given_up_are_noted_for_whoever_owns_messages(database: Database) -> None:
    set_up(database)
    row = new_message()
    with database.transaction() as connection:
        messages.insert(connection, row, effects(row), window=WINDOW)
    apply(database, letter("CONSULTATION", 20, message=row.uuid))
    with database.transaction() as connection:
        periodic.give_up(connection, now() + timedelta(days=4000))
        assert not note_processed(connection, now())
    assert _marked(database) == {row.uuid: True}


def test_known_journeys_are_listed_in_pieces(database: Database) -> None:
    set_up(database)
    for number in range(5):
        apply(database, *visit(f"V{number}"))
    seen: list[UUID] = []
    with database.statements() as connection:
        while found := journey_store.after(connection, seen[-1] if seen else UUID(int=0), 2):
            seen += [each.id for each in found]
        assert len(seen) == 5
        assert evidence_store.counts(connection) == []
