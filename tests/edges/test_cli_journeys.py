"""journeys seed-his, seed, export and import, as commands."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from dhos_connector_api.app.demo import first_people
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.px.organizations.resources import HOSPITAL
from tests.builders.journey_templates import a_template
from tests.builders.organizations import a_hospital, deactivated
from tests.builders.people import PX_KEY
from tests.builders.rows import settings
from tests.rigs.command_line import run
from tests.rigs.processes import environment

TRIGGERS = ["Consultation", "Doctor Visited", "Clinical Condtion", "ChiefComplaint", "Prescribed Drugs"]
STAGES = (
    "SELECT h.code, s.trigger_event_code FROM stage_template s JOIN hospital h ON h.id = s.hospital_id"
    " ORDER BY h.code, s.position"
)
EVERYTHING = (
    "SELECT t.id, t.version, t.current_version_id, s.id, s.version, (SELECT count(*) FROM audit_event)"
    " FROM journey_template t LEFT JOIN stage_template s ON s.journey_template_id = t.id ORDER BY 1, 4"
)
FILE = """
[[template]]
hospital = "H1"
journey_type = "opd"
name = "Clinic"
is_default = true
[[template.stage]]
code = "LAB"
name = "Laboratory"
order = 1
trigger_event_code = "LAB_ORDER_COMPLETED"
"""


@pytest.fixture
def environ(address: DatabaseAddress, database: Database) -> dict[str, str]:
    return environment(address, LOG_LEVEL="ERROR")


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.statements() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_the_his_template_is_made_once_for_each_active_hospital(
    environ: dict[str, str], database: Database
) -> None:
    a_hospital(database, code="H1")
    a_hospital(database, code="H2")
    deactivated(database, HOSPITAL, a_hospital(database, code="H3"))
    done = run(environ, "journeys", "seed-his")
    assert done.returncode == 0, done.stderr
    assert "H1: opd: HIS Outpatient Journey: made" in done.stdout
    assert rows(database, STAGES) == [(code, each) for code in ("H1", "H2") for each in TRIGGERS]
    template = rows(
        database,
        "SELECT DISTINCT t.is_default, t.send_post_discharge_survey, v.number,"
        " jsonb_array_length(content->'stages')"
        " FROM journey_template t JOIN journey_template_version v ON v.id = t.current_version_id",
    )
    assert template == [(True, True, 2, 5)]
    assert rows(database, "SELECT count(*) FROM stage_template WHERE name_ar IS NULL") == [(0,)]
    audited = (
        "SELECT DISTINCT actor_kind, action, object_type FROM audit_event WHERE object_type ~ 'template'"
    )
    assert set(rows(database, audited)) == {
        ("command", "create", "journey_template"), ("command", "create", "stage_template")
    }  # fmt: skip

    before = rows(database, EVERYTHING)
    assert "HIS Outpatient Journey: the same" in run(environ, "journeys", "seed-his").stdout
    assert rows(database, EVERYTHING) == before

    survey = str(uuid4())
    attached = run(environ, "journeys", "seed-his", "--hospital", "H1", "--survey-template-id", survey)
    assert attached.stdout == "H1: opd: HIS Outpatient Journey: changed\n"
    kept = "SELECT count(*) FROM journey_template WHERE post_discharge_survey_template_id = '{}'"
    assert rows(database, kept.format(survey)) == [(1,)]


def test_a_hospital_that_is_not_there_is_named(environ: dict[str, str]) -> None:
    for command in ("seed-his", "seed", "export"):
        done = run(environ, "journeys", command, "--hospital", "ALH-main")
        assert (done.returncode, "Hospital with code 'ALH-main' not found" in done.stderr) == (1, True)


def test_the_default_that_is_there_stays_and_this_is_said(
    environ: dict[str, str], database: Database
) -> None:
    a_hospital(database, code="H1")
    run(environ, "journeys", "seed-his")
    done = run(environ, "journeys", "seed")
    assert "H1: opd: HIS Outpatient Journey stays the default" in done.stdout, done.stderr
    found = rows(
        database,
        "SELECT journey_type, is_default, (SELECT count(*) FROM stage_template s"
        " WHERE s.journey_template_id = t.id) FROM journey_template t WHERE name LIKE 'Standard%' ORDER BY 1",
    )
    assert found == [("ems", True, 4), ("inpatient", True, 6), ("opd", False, 5)]
    before = rows(database, EVERYTHING)
    assert "stays the default" in run(environ, "journeys", "seed").stdout
    assert rows(database, EVERYTHING) == before


def test_a_seed_that_is_there_and_no_default_is_warned_of(
    environ: dict[str, str], database: Database
) -> None:
    a_hospital(database, code="H1")
    run(environ, "journeys", "seed-his")
    warning = (
        "H1: opd: there is no default: what opens a journey waits until a template is active and the default"
    )
    survey = ["--survey-template-id", str(uuid4())]
    changes: tuple[tuple[str, list[str]], ...] = (("false, true", []), ("true, false", survey))
    for values, more in changes:
        with database.transaction() as connection:
            connection.execute(text(f"UPDATE journey_template SET (is_active, is_default) = ({values})"))
        done = run(environ, "journeys", "seed-his", *more)
        assert (done.returncode, warning in done.stdout.splitlines()) == (0, True), done.stdout
    done = run(environ, "journeys", "seed")
    assert "no default" not in done.stdout, "one that is made becomes it"
    with database.transaction() as connection:
        connection.execute(text("UPDATE journey_template SET is_active = false"))
    done = run(environ, "journeys", "seed")
    assert done.stdout.count("there is no default") == 3


def test_what_was_exported_is_taken_in_as_the_same(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    hospital = a_hospital(database, code="H1")["id"]
    with database.transaction() as connection:
        odd: dict[str, Any] = {"name": 'Say "hi"\\ \x7f', "description": "one\ntwo\ttab", "is_default": False}
        a_template(connection, hospital, {"A|'": "X", "B": "Y|Z"}, **odd)
    run(environ, "journeys", "seed")
    file, before = tmp_path / "templates.toml", rows(database, EVERYTHING)
    assert run(environ, "journeys", "export", str(file)).returncode == 0
    assert run(environ, "journeys", "export", "--hospital", "h1").stdout == file.read_text()
    for more in (["--dry-run"], []):
        again = run(environ, "journeys", "import", str(file), *more)
        assert "0 made, 0 changed, 21 the same, 0 refused" in again.stdout, again.stdout + again.stderr
    assert rows(database, EVERYTHING) == before


def test_a_dry_run_shows_what_an_import_then_does(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    a_hospital(database, code="H1")
    file = tmp_path / "templates.toml"
    file.write_text(FILE)
    tried = run(environ, "journeys", "import", str(file), "--dry-run")
    assert "+ template 1: H1 Clinic" in tried.stdout and "+ template 1, stage 1: LAB" in tried.stdout
    assert "2 made, 0 changed, 0 the same, 0 refused, nothing is changed" in tried.stdout
    assert rows(database, EVERYTHING) == []
    assert run(environ, "journeys", "import", str(file)).returncode == 0
    file.write_text(FILE.replace('"LAB"', '"XRAY"').replace('"Clinic"', '"Clinic"\ndescription = "d"'))
    changed = run(environ, "journeys", "import", str(file))
    assert "    description: - -> d" in changed.stdout
    assert "~ template 1, stage that is left out: LAB\n    is_active: True -> False" in changed.stdout
    stages = rows(database, "SELECT code, is_active FROM stage_template ORDER BY code")
    assert stages == [("LAB", False), ("XRAY", True)]
    versions = rows(database, "SELECT count(*) FROM journey_template_version")
    assert versions == [(3,)], "without stages, with LAB, with XRAY"


def test_a_default_moves_to_another_template_whatever_their_order(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    a_hospital(database, code="H1")
    file = tmp_path / "templates.toml"
    file.write_text(FILE)
    run(environ, "journeys", "import", str(file))
    second = FILE.replace("Clinic", "Other")
    file.write_text(second + FILE.replace("is_default = true", "is_default = false"))
    done = run(environ, "journeys", "import", str(file))
    assert done.returncode == 0, done.stdout
    names = rows(database, "SELECT name FROM journey_template WHERE is_default")
    assert names == [("Other",)]


def test_what_is_refused_is_named_by_its_place_and_nothing_is_changed(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    a_hospital(database, code="H1")
    file = tmp_path / "templates.toml"
    bad = FILE.replace("Clinic", "Other").replace("order = 1", "order = 1\nsurvey_delay_hours = 73\nx = 1")
    file.write_text(FILE + bad + FILE.replace("H1", "H9") + FILE.replace("Clinic", "Third"))
    done = run(environ, "journeys", "import", str(file))
    assert done.returncode == 1
    assert "! template 2, stage 1: survey_delay_hours: " in done.stdout, done.stdout
    assert "! template 2, stage 1: x: is no field of it" in done.stdout
    assert "! template 3: hospital: is no code of a hospital" in done.stdout
    assert "! template 4: is_default: " in done.stdout
    assert rows(database, EVERYTHING) == []
    assert rows(database, "SELECT count(*) FROM audit_event WHERE object_type ~ 'template'") == [(0,)]


@pytest.mark.parametrize(
    "content", ["[[template]\n", "a = 1", "[template]\nx = 1", "[[template]]\nstage = 1"]
)
def test_a_file_that_cannot_be_read_is_said_in_a_line(
    environ: dict[str, str], tmp_path: Path, content: str
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(content)
    done = run(environ, "journeys", "import", str(file))
    assert (done.returncode, "the file cannot be read" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_a_newcomers_hospital_has_the_his_template(address: DatabaseAddress, database: Database) -> None:
    made = first_people(settings(**address.environment(), PX_HS_KEY=PX_KEY))
    assert made is not None
    assert rows(database, STAGES) == [("DEMO", each) for each in TRIGGERS]
    audited = "SELECT DISTINCT actor_kind FROM audit_event WHERE object_type = 'stage_template'"
    assert rows(database, audited) == [("system",)]
