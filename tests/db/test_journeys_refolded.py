"""Journeys folded anew on a real PostgreSQL: which are looked at, and evidence that was given up."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.journeys import periodic, template_versions
from dhos_connector_api.px.journeys.refold import FIRST, Place, Wanted, preview, refold
from tests.builders.encounters import BEGUN, HOSPITAL, a_hospital, at, letter
from tests.builders.journey_templates import a_template
from tests.rigs.applied_journeys import STAGES, apply, journeys, rows, set_up, visit

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


def test_a_journey_that_changed_its_type_gets_the_newest_stages_of_both_templates(
    database: Database,
) -> None:
    set_up(database, ems={"ER": "ADT_A01", "CT": "CT_DONE"}, inpatient={"WARD": "ADT_A02"}, opd=STAGES)
    apply(database, letter("ADT_A01", 0, encounter_type="E"), letter("ADT_A06", 9, encounter_type="I"))
    apply(database, *visit("V2"))
    template = _without(database, "CT")
    assert _refold(database) == []
    assert _refold(database, template=template) == ["V1"]
    codes = rows(database, "SELECT code FROM stage_instance WHERE code IN ('ER', 'CT', 'WARD') ORDER BY 1")
    assert codes == [("ER",), ("WARD",)]


def _without(database: Database, stage: str) -> UUID:
    """Take a stage from its template, and return that."""
    with database.transaction() as connection:
        query = "UPDATE stage_template SET is_active = false WHERE code = :code RETURNING journey_template_id"
        template: UUID = connection.execute(text(query), {"code": stage}).scalar_one()
        template_versions.keep(connection, template, at=now())
    return template
