"""Journeys on the command line: shown in sentences, and folded anew."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, true

from dhos_connector_api.clock import now
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.inbox.apply import Reader
from dhos_connector_api.px.journeys import by_person, template_versions
from dhos_connector_api.px.journeys.on_event import CONSUMER, OnEvent
from tests.builders.encounters import HOSPITAL, RULES, a_hospital, letter
from tests.builders.journey_templates import a_template
from tests.rigs.command_line import run
from tests.rigs.processes import environment


@pytest.fixture
def environ(address: DatabaseAddress, database: Database) -> dict[str, str]:
    return environment(address, LOG_LEVEL="ERROR")


def _journey(database: Database) -> None:
    with database.transaction() as connection:
        a_hospital(connection)
        a_template(connection, HOSPITAL, {"CONSULT": "CONSULTATION", "LAB": "LAB_ORDER_COMPLETED"})
    reader = Reader(database, CONSUMER, OnEvent(rules=lambda: RULES, processed=lambda *_: None), now)
    reader.take([letter("ADT_A04", 0, encounter_type="O"), letter("CONSULTATION", 20)])


def test_a_journey_is_shown_in_sentences(environ: dict[str, str], database: Database) -> None:
    _journey(database)
    shown = run(environ, "journeys", "show", "V1")
    assert shown.returncode == 0, shown.stderr
    assert "status: active" in shown.stdout
    assert "CONSULTATION" in shown.stdout
    assert "LAB_ORDER_COMPLETED" in shown.stdout  # what is missing
    arabic = run(environ, "journeys", "show", "V1", "--language", "ar")
    assert arabic.returncode == 0
    assert arabic.stdout != shown.stdout
    assert run(environ, "journeys", "show", "V2").returncode == 1


def test_what_waits_or_is_ignored_is_shown_with_why(environ: dict[str, str], database: Database) -> None:
    _journey(database)
    reader = Reader(database, CONSUMER, OnEvent(rules=lambda: RULES, processed=lambda *_: None), now)
    told: dict[str, Any] = {"encounter_id": "V2", "mrn": "M-CANARY"}
    reader.take(
        [
            letter("CONSULTATION", 20, source_code="Seen", **told),
            letter("ADT_A04", 0, facility="NOBODY", **told),
        ]
    )
    ignored = "UPDATE evidence SET state = 'ignored' WHERE code = 'CONSULTATION' AND encounter_id = 'V2'"
    with database.transaction() as connection:
        connection.execute(text(ignored))
    shown = run(environ, "journeys", "show", "V2")
    assert shown.stdout.splitlines() == [
        "2026-03-01 08:00 UTC: ADT_A04 from hl7v2: waiting, no_hospital",
        "2026-03-01 08:20 UTC: CONSULTATION (Seen) from hl7v2: ignored, no_journey",
    ]
    assert (shown.returncode, "no journey has that number" in shown.stderr) == (1, True)
    nothing = run(environ, "journeys", "show", "V3")
    assert (nothing.returncode, nothing.stdout) == (1, "")


def test_a_reason_is_not_shown_where_the_journey_is(environ: dict[str, str], database: Database) -> None:
    _journey(database)
    by: dict[str, Any] = {"seen": true(), "by": UUID(int=1), "at": now()}
    with database.transaction() as connection:
        id_ = connection.execute(text("SELECT id FROM journey_instance")).scalar_one()
        by_person.close(connection, id_, "Mrs Canary went home", **by)
    shown = run(environ, "journeys", "show", "V1")
    assert ("A person closed the journey" in shown.stdout, "Canary" in shown.stdout) == (True, False)


def test_journeys_that_fit_their_evidence_stay_as_they_are(
    environ: dict[str, str], database: Database
) -> None:
    _journey(database)
    done = run(environ, "journeys", "refold")
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 journeys looked at, 0 changed" in done.stderr


def test_what_a_refold_would_change_is_shown_first(environ: dict[str, str], database: Database) -> None:
    _journey(database)
    with database.transaction() as connection:
        connection.execute(text("UPDATE stage_instance SET status = 'pending' WHERE code = 'CONSULT'"))
        before = connection.execute(text("SELECT count(*) FROM outbox")).scalar_one()
    for options, status in ((["--dry-run"], "pending"), ([], "completed")):
        done = run(environ, "journeys", "refold", "--hospital", "H105", *options)
        assert done.stdout == "V1\tstage CONSULT\tpending\tcompleted\n", done.stderr
        with database.statements() as connection:
            query = "SELECT status FROM stage_instance WHERE code = 'CONSULT'"
            assert connection.execute(text(query)).scalar_one() == status
            assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == before
    unknown = run(environ, "journeys", "refold", "--hospital", "H9")
    assert (unknown.returncode, unknown.stdout) == (1, "")


def test_journeys_get_the_newest_version_of_their_template_only_where_that_is_asked(
    environ: dict[str, str], database: Database
) -> None:
    _journey(database)
    with database.transaction() as connection:
        template = connection.execute(text("SELECT id FROM journey_template")).scalar_one()
        connection.execute(text("UPDATE stage_template SET is_active = false WHERE code = 'LAB'"))
        template_versions.keep(connection, template, at=now())
    assert run(environ, "journeys", "refold").stdout == ""
    done = run(environ, "journeys", "refold", "--template", str(template))
    assert "V1\tstage LAB\tthere\tgone\n" in done.stdout, done.stderr
    assert "V1\tstatus\tactive\tcompleted\n" in done.stdout
