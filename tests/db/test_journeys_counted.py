"""The metrics of journeys, and what is shown of those that never end, on a real PostgreSQL."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.journeys import periodic
from dhos_connector_api.px.journeys.findings import findings
from dhos_connector_api.px.journeys.gauges import gauges
from tests.builders.encounters import BEGUN, letter
from tests.builders.rows import settings
from tests.rigs.applied_journeys import announced, apply, set_up, visit


class Counted:
    """How much was counted since it was made."""

    def __init__(self) -> None:
        self._before = self._now()

    def since(self) -> dict[tuple[str, str], float]:
        """Return what is more by now, by metric and label."""
        before = self._before
        return {key: more for key, value in self._now().items() if (more := value - before.get(key, 0))}

    def _now(self) -> dict[tuple[str, str], float]:
        names = ("connector_journeys_opened", "connector_journeys_ended", "connector_evidence_ignored")
        return {
            (metric.name.removeprefix("connector_"), next(iter(sample.labels.values()))): sample.value
            for metric in REGISTRY.collect()
            if metric.name in names
            for sample in metric.samples
        }


def test_journeys_are_counted_when_they_open_and_each_time_they_end(database: Database) -> None:
    set_up(database)
    counted = Counted()
    apply(database, *visit())
    assert counted.since() == {("journeys_opened", "opd"): 1}
    apply(database, letter("ADT_A03", 60))
    once = {("journeys_opened", "opd"): 1, ("journeys_ended", "discharged"): 1}
    assert counted.since() == once
    apply(database, letter("PRESCRIBED_DRUGS", 50, received=90))  # late: its stage is announced
    assert announced(database)[-1] == ("stage_completed", "PHARMACY")
    apply(database, letter("ADT_A08", 70, mrn="M2"))
    assert announced(database)[-1] == ("journey_moved", None)
    assert counted.since() == once
    apply(database, letter("ADT_A11", 80))
    assert counted.since() == once | {("journeys_ended", "cancelled"): 1}


def test_evidence_that_is_given_up_or_of_no_encounter_is_counted(database: Database) -> None:
    set_up(database)
    counted = Counted()
    apply(database, letter("CONSULTATION", 20), letter("ADT_A31", 0, encounter_id=None))
    with database.transaction() as connection:
        periodic.give_up(connection, BEGUN + timedelta(days=4))
    assert counted.since() == {("evidence_ignored", "no_journey"): 1, ("evidence_ignored", "no_encounter"): 1}


@pytest.mark.parametrize(("days", "shown"), [(59, {}), (61, {"inpatient": 1.0})])
def test_an_inpatient_that_is_open_for_sixty_days_is_shown(
    database: Database, days: int, shown: dict[str, float]
) -> None:
    set_up(database)
    begun = (now() - timedelta(days=days) - BEGUN) / timedelta(minutes=1)
    apply(
        database, *(letter("ADT_A01", begun, encounter_id=each, encounter_type="I") for each in ("V1", "V2"))
    )
    apply(
        database,
        letter("ADT_A03", begun + 60, encounter_id="V1"),
        letter("ADT_A08", begun, encounter_id="V2"),
    )
    with database.statements() as connection:
        (gauge,) = (
            each
            for each in gauges(settings(), connection, now())
            if each.name == "connector_journeys_open_too_long"
        )
        found = [each.text for each in findings(settings(), connection)]
    assert {each.labels["type"]: each.value for each in gauge.samples} == shown
    assert found == [f"1 journeys ({kind}) are open for more than 60 days" for kind in shown]
