"""Journeys folded anew on a real PostgreSQL: which are looked at, and evidence that was given up."""

from datetime import timedelta

import pytest

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.journeys import periodic
from dhos_connector_api.px.journeys.refold import FIRST, Place, Wanted, preview, refold
from tests.builders.encounters import BEGUN, HOSPITAL, a_hospital, at, letter
from tests.builders.journey_templates import a_template
from tests.rigs.applied_journeys import STAGES, apply, journeys, rows, visit

_STATES = "SELECT DISTINCT state, reason FROM evidence"


def _refold(database: Database, *, dry: bool = False, **wanted: object) -> list[str]:
    """Fold anew what is wanted, or show it; return the numbers of the encounters that change."""
    found: list[str] = []
    after: Place | None = FIRST
    while after is not None:
        with database.transaction() as connection:
            which = Wanted(**wanted)  # type: ignore[arg-type]
            piece = preview(connection, which, after) if dry else refold(connection, which, after, now())
        found += [each.columns["encounter_id"] for each in piece.changes]
        after = piece.last
    return sorted(found)


def _give_up(database: Database) -> None:
    with database.transaction() as connection:
        periodic.give_up(connection, BEGUN + timedelta(days=5))


@pytest.mark.parametrize("missing", ["no_hospital", "no_template"])
def test_what_was_given_up_for_want_of_what_people_set_up_is_applied(
    database: Database, missing: str
) -> None:
    with database.transaction() as connection:
        if missing == "no_template":
            a_hospital(connection)
    apply(database, *visit(), *visit("V2"), letter("CONSULTATION", 5, encounter_id="V3"))
    _give_up(database)
    assert _refold(database) == []
    with database.transaction() as connection:
        if missing == "no_hospital":
            a_hospital(connection)
        a_template(connection, HOSPITAL, STAGES)
    assert _refold(database, dry=True) == ["V1", "V2"]
    assert journeys(database) == []
    assert _refold(database, since=at(60)) == []
    assert _refold(database, since=at(-60)) == ["V1", "V2"]
    assert sorted(rows(database, _STATES)) == [("applied", None), ("ignored", "no_journey")]
    assert _refold(database) == []
