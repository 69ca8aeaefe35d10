"""Encounters that are told of very often: what decides counts, of the rest the earliest; on PostgreSQL."""

import json
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import true

from dhos_connector_api.db.engine import Database
from dhos_connector_api.inbox.letter import Letter
from dhos_connector_api.px.journeys import by_person, periodic
from dhos_connector_api.px.journeys.counting import MOST
from dhos_connector_api.px.journeys.evidence import EncounterKey
from dhos_connector_api.px.organizations.identity import SHARED
from tests.builders.encounters import HOSPITAL, at, letter
from tests.rigs.applied_journeys import apply, empty, journeys, rows, set_up, visit

JOURNEY = EncounterKey(SHARED, HOSPITAL, "V1").journey_id
_STATES = "SELECT state, reason, count(*) FROM evidence GROUP BY 1, 2 ORDER BY 1"
_TOO_MANY = "SELECT event_uuid FROM evidence WHERE reason = 'too_many' ORDER BY 1"


def _often(first: int = 50) -> list[Letter]:
    """As many corrections as count, one a minute."""
    return [letter("ADT_A08", first + each) for each in range(MOST)]


def _apply(database: Database, letters: list[Letter]) -> None:
    for start in range(0, len(letters), 500):
        apply(database, *letters[start : start + 500])


def _event(sent: Letter) -> UUID:
    return UUID(json.loads(sent.body)["actions"][0]["data"]["event_uuid"])


def _counted() -> float:
    return REGISTRY.get_sample_value("connector_evidence_ignored_total", {"reason": "too_many"}) or 0


def test_an_encounter_that_is_told_of_too_often_costs_no_more_than_that(database: Database) -> None:
    set_up(database)
    before = _counted()
    _apply(database, visit() + _often())
    assert rows(database, _STATES) == [("applied", None, MOST + 1), ("ignored", "too_many", 2)]
    apply(database, letter("ADT_A08", 9000))
    assert rows(database, _STATES) == [("applied", None, MOST + 1), ("ignored", "too_many", 3)]
    assert _counted() - before == 3


@pytest.mark.parametrize(
    ("code", "end"), [("ADT_A03", ("completed", "discharged")), ("adt_a11 ", ("cancelled", "cancelled"))]
)
def test_what_ends_a_journey_is_never_too_much(database: Database, code: str, end: tuple[str, str]) -> None:
    set_up(database)
    _apply(database, visit() + _often())
    apply(database, letter(code, 9000))
    assert journeys(database)[0][5:7] == end
    apply(database, letter("ADT_A04", 9001), letter("ADT_A13", 9002))
    assert journeys(database)[0][5:7] == ("active", None)


def test_what_a_person_does_is_never_too_much(database: Database) -> None:
    set_up(database)
    _apply(database, visit() + _often())
    with database.transaction() as connection:
        shown = by_person.close(connection, JOURNEY, "left", seen=true(), by=UUID(int=7), at=at(9000))
    assert (shown["status"], shown["ending"]) == ("completed", "person")


def test_a_quiet_visit_that_was_told_of_too_often_ends(database: Database) -> None:
    set_up(database)
    _apply(database, visit() + _often())
    last = rows(database, "SELECT last_at FROM journey_instance")[0][0]
    with database.transaction() as connection:
        assert not periodic.close_quiet(connection, last + timedelta(hours=25))
    assert journeys(database)[0][5:9] == ("completed", "silent", at(0), last + timedelta(hours=24))


def test_which_pieces_are_too_many_does_not_depend_on_the_order_of_arrival(database: Database) -> None:
    set_up(database)
    letters = [*visit(), *_often(), letter("PRESCRIBED_DRUGS", 45), letter("LAB_ORDER_COMPLETED", 9000)]
    _apply(database, letters)
    expected = rows(database, _TOO_MANY), journeys(database)
    assert len(expected[0]) == 4
    assert _event(letters[-1]) in {id_ for (id_,) in expected[0]}
    empty(database)
    _apply(database, Random(1).sample(letters, len(letters)))
    assert (rows(database, _TOO_MANY), journeys(database)) == expected


def test_a_piece_that_was_too_many_counts_when_it_comes_to_decide(database: Database) -> None:
    set_up(database)
    last = letter("ADT_A08", 9000)
    _apply(database, [*visit(), *_often(), last])
    assert (_event(last),) in rows(database, _TOO_MANY)
    apply(database, letter("ADT_A03", 9000, event_uuid=_event(last), generation=1))
    assert journeys(database)[0][5:7] == ("completed", "discharged")
