"""organizations import, export and import-site, as commands; HIS intake knows what they stored."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dhos_connector_api.app.hospitals import FRESH, KnownHospitals
from dhos_connector_api.app.incoming import IntakeSource
from dhos_connector_api.db.engine import Database, DatabaseAddress
from dhos_connector_api.intake.his_patients import hospital_named
from dhos_connector_api.site.model import His, Hospital, Site
from tests.builders.api import NO_DATABASE
from tests.builders.feed import Happening
from tests.builders.organizations import a_hospital, a_physician
from tests.builders.rows import settings
from tests.rigs.command_line import run
from tests.rigs.feed_ledger import reader
from tests.rigs.processes import environment

SITE = """
[[his.hospitals]]
code = "HOSP1"
name = "AlHammadi Hospital"
ids = ["1", "01"]
names = ["Al Hammadi"]

[[his.hospitals]]
code = "HOSP2"
name = "Second"
"""


@pytest.fixture
def environ(address: DatabaseAddress, database: Database) -> dict[str, str]:
    return environment(address, LOG_LEVEL="ERROR")


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.statements() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


DEPARTMENTS = (
    "SELECT d.code, p.code, d.ward_codes FROM department d LEFT JOIN department p ON p.id = d.parent_id"
)


def test_a_dry_run_shows_what_an_import_then_does(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    a_hospital(database, code="H1", region="SA")
    file = tmp_path / "departments.csv"
    file.write_text(
        "\ufeffhospital,code,name,name_ar,parent,ward_codes,phone\n"
        "H1,LOW,Low,قسم,TOP,W1; W2,\n"
        "H1,TOP,Top,,,,0112345678\n"
        "H9,X,X,,,,\n"
        'H1,BAD,"Ba\nd",,,,12\n'
        "H1,CIRCLE,Circle,,CIRCLE,,\n",
        encoding="utf-8",
    )
    arguments = ("organizations", "import", str(file), "--kind", "departments")
    tried = run(environ, *arguments, "--dry-run")
    assert tried.returncode == 1, tried.stderr
    assert "+ line 2: LOW" in tried.stdout and "    parent: - -> TOP" in tried.stdout
    assert "! line 4: hospital: is no code of a hospital" in tried.stdout
    assert "! line 5: phone: is no telephone number" in tried.stdout
    assert "! line 7: parent: " in tried.stdout
    assert "2 made, 0 changed, 0 the same, 3 refused, nothing is changed" in tried.stdout
    assert rows(database, DEPARTMENTS) == []

    taken = run(environ, *arguments)
    assert taken.returncode == 1
    assert "5 of 5 lines" in taken.stderr
    assert sorted(rows(database, DEPARTMENTS)) == [("LOW", "TOP", ["W1", "W2"]), ("TOP", None, [])]

    changed = tmp_path / "more.json"
    changed.write_text(json.dumps([{"hospital": "H1", "code": "LOW", "name": "Lower"}]))
    shown = run(environ, "organizations", "import", str(changed), "--kind", "departments", "--dry-run")
    assert (shown.returncode, "    name: Low -> Lower" in shown.stdout) == (0, True), shown.stdout
    done = run(environ, "organizations", "import", str(changed), "--kind", "departments")
    assert "0 made, 1 changed, 0 the same, 0 refused" in done.stdout
    assert sorted(rows(database, DEPARTMENTS))[0] == ("LOW", "TOP", ["W1", "W2"]), "what is not named stays"


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["csv", "json"])
def test_what_was_exported_is_taken_in_as_the_same(
    environ: dict[str, str], database: Database, tmp_path: Path, more: list[str]
) -> None:
    hospital = a_hospital(database, name='Say "hi", now', name_ar="مستشفى", capacity=3)
    a_physician(database, hospital["id"], first_name="A;b", specialization="x\ny")
    for kind in ("hospitals", "physicians"):
        out = run(environ, "organizations", "export", "--kind", kind, *more).stdout
        file = tmp_path / ("out.json" if more else "out.csv")
        file.write_text(out, encoding="utf-8")
        again = run(environ, "organizations", "import", str(file), "--kind", kind)
        assert "0 made, 0 changed, 1 the same, 0 refused" in again.stdout, again.stdout + again.stderr


def test_an_export_of_patients_is_in_the_audit_trail_before_anybody_is_shown(
    environ: dict[str, str], database: Database
) -> None:
    assert run(environ, "organizations", "export", "--kind", "patients").returncode == 0
    entries = rows(database, "SELECT actor_kind, action, object_type, object_id FROM audit_event")
    assert entries == [("command", "export", "patient", None)]


@pytest.mark.parametrize("content", ["[1]", "{", '{"a": 1}'])
def test_a_file_that_cannot_be_read_is_said_in_a_line(
    environ: dict[str, str], tmp_path: Path, content: str
) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)
    done = run(environ, "organizations", "import", str(file), "--kind", "hospitals")
    assert (done.returncode, "the file cannot be read" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_the_sites_hospitals_are_stored_once_and_known_to_the_intake(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    with_site = environ | {"SITE_CONFIG": str(site)}
    first = run(with_site, "organizations", "import-site")
    assert "2 made, 0 changed" in first.stdout, first.stdout + first.stderr
    assert "0 made, 0 changed, 2 the same" in run(with_site, "organizations", "import-site").stdout
    found = rows(database, "SELECT source, kind, folded FROM hospital_identifier ORDER BY 1, 2, 3")
    assert found == [
        ("his", "id", "01"),
        ("his", "id", "1"),
        ("his", "name", "al hammadi"),
        ("his", "name", "alhammadi hospital"),
        ("his", "name", "second"),
    ]
    intake = IntakeSource(settings(), Site, hospitals=KnownHospitals(database))()
    named = hospital_named("01", "", intake.site.his.hospitals)
    assert named is not None and named.code == "HOSP1"
    assert hospital_named("9", "unknown", intake.site.his.hospitals) is None


def trail(database: Database) -> list[tuple[Any, ...]]:
    """What the command line left of hospitals in the audit trail."""
    query = "SELECT action, fields, object_id = hospital_id FROM audit_event WHERE actor_kind = 'command'"
    return rows(database, f"{query} AND object_type = 'hospital' ORDER BY id")


def test_hospitals_named_by_the_site_get_their_patients_and_leave_entries_without_values(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    reader(database).take([Happening("M1", facility="HOSP1", phone="0501234567").letter()])
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    done = run(environ | {"SITE_CONFIG": str(site)}, "organizations", "import-site")
    assert done.returncode == 0, done.stderr
    placed = "SELECT h.code FROM patient p JOIN hospital h ON h.id = p.hospital_id"
    assert rows(database, placed) == [("HOSP1",)]
    assert trail(database) == [("create", ["code", "identifiers", "name"], True)] * 2


def test_an_import_of_hospitals_gives_them_their_patients(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    reader(database).take([Happening("M1", facility="H7", phone="0501234567").letter()])
    file = tmp_path / "hospitals.csv"
    file.write_text("code,name\nH7,Seven\n")
    arguments = ("organizations", "import", str(file), "--kind", "hospitals")
    run(environ, *arguments, "--dry-run")
    assert trail(database) == rows(database, "SELECT 1 FROM patient WHERE hospital_id IS NOT NULL") == []
    run(environ, *arguments)
    assert rows(database, "SELECT 1 FROM patient WHERE hospital_id IS NOT NULL") == [(1,)]
    assert trail(database) == [("create", ["code", "name", "status"], True)]
    file.write_text("code,name\nH7,Seventh\n")
    run(environ, *arguments)
    run(environ, *arguments)
    assert trail(database)[1:] == [("change", ["name"], True)]


def test_what_the_database_knows_is_read_now_and_then_and_kept_while_it_is_away(database: Database) -> None:
    seconds = [0.0]
    known = KnownHospitals(database, now=lambda: seconds[0])
    assert known() == ()
    hospital = a_hospital(database, code="H7", name="Seven")["id"]
    identifier = "INSERT INTO hospital_identifier SELECT gen_random_uuid(), now(), :id, 'his', 'id', '7', '7'"
    with database.transaction() as connection:
        connection.execute(text(identifier), {"id": hospital})
    assert known() == ()
    seconds[0] += FRESH
    found = known()
    assert found == (Hospital("H7", "Seven", ids=frozenset({"7"})),)
    seconds[0] += FRESH
    assert known() is found, "the same as long as nothing has changed: intake is not made anew"
    known._database = NO_DATABASE
    seconds[0] += FRESH
    assert known() is found


def test_the_sites_own_hospitals_have_the_last_word_and_gain_names() -> None:
    own = Hospital("H1", "Own", ids=frozenset({"1"}), time_zone="Asia/Riyadh")
    more = (Hospital("H1", "Other", ids=frozenset({"2"})), Hospital("H2", "Two", ids=frozenset({"1", "3"})))
    site = Site(his=His(hospitals=(own,)))
    intake = IntakeSource(settings(), lambda: site, hospitals=lambda: more)
    hospitals = intake().site.his.hospitals
    assert [hospital_named(each, "", hospitals).code for each in ("1", "2", "3")] == ["H1", "H1", "H2"]  # type: ignore[union-attr]
    assert intake() is intake()
