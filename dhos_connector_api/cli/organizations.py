"""The commands for organizations: import, export, import-site; others stand in modules of their own."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.app import incoming
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli import organization_files as files
from dhos_connector_api.cli.audited import audit_lines, audited
from dhos_connector_api.cli.identifying import identifiers, identify
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.cli.unmerge import unmerge
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Details
from dhos_connector_api.px.organizations import site_hospitals
from dhos_connector_api.px.organizations.imported import Given, Kind, Line, Outcome
from dhos_connector_api.px.organizations.importing import Structure
from dhos_connector_api.px.organizations.patient_importing import Patients
from dhos_connector_api.px.organizations.periodic import place
from dhos_connector_api.px.organizations.resources import DEPARTMENT, EMPLOYEE, HOSPITAL, PHYSICIAN
from dhos_connector_api.px.people.active_users import active_users
from dhos_connector_api.spec.bodies import JsonBody
from dhos_connector_api.spec.kept_body import check_of

#: Every kind, in the order in which one refers to another.
KINDS: Mapping[str, Kind] = {
    each.name: each
    for each in (
        Structure("hospitals", HOSPITAL, active_users),
        Structure("departments", DEPARTMENT, active_users),
        Structure("physicians", PHYSICIAN, active_users),
        Structure("employees", EMPLOYEE, active_users),
        Patients(),
    )
}
#: Lines that are stored together, and after which it is said how far it is.
_BATCH = 500


@click.group()
def organizations() -> None:
    """Hospitals, departments, physicians, employees and patients."""


for command in (unmerge, identify, identifiers):
    organizations.add_command(command)


@organizations.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What the lines are.")
@click.option("--dry-run", is_flag=True, help="Show what would become different, and change nothing.")
@with_settings
def import_file(settings: Settings, file: Path, kind: str, dry_run: bool) -> None:
    """Take FILE in: CSV with a line of names, or JSON (a list of objects).

    \b
    + made   ~ changed   = the same   ! refused: the others are taken, and the command ends with 1
    """
    wanted, lines = KINDS[kind], files.read(file)
    database, found = open_database(settings), Counter[str]()
    with _undone(database) if dry_run else _each_batch(database) as transaction:
        for batch in _batches(list(wanted.ordered(lines))):
            with transaction() as connection:
                outcomes = [wanted.take(connection, line, _given()) for line in batch]
                audit_lines(connection, kind.removesuffix("s"), outcomes)
            found.update(each.sign for each in outcomes)
            _show(outcomes, differences=dry_run)
            click.echo(f"{found.total()} of {len(lines)} lines", err=True)
    if kind == "hospitals" and not dry_run:
        _place_patients(database)
    click.echo(_summary(found) + (", nothing is changed" if dry_run else ""))
    if found["!"]:
        raise SystemExit(1)


@organizations.command("export")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What to write.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.  [default: CSV]")
@with_settings
def export(settings: Settings, kind: str, as_json: bool) -> None:
    """Write all there are to standard output, as `import` takes them."""
    database = open_database(settings)
    if kind == "patients":
        with database.transaction() as connection:  # before anybody sees who they are
            audited(connection, "export", "patient", None)
    rows = _all(database, KINDS[kind])
    for text in files.write(KINDS[kind].columns, rows, as_json=as_json):
        click.echo(text, nl=False)


@organizations.command("import-site")
@with_settings
def import_site(settings: Settings) -> None:
    """Store the HIS's hospitals of the site's configuration, and what the HIS calls them."""
    hospitals, given = incoming.site(settings)().his.hospitals, _given()
    database = open_database(settings)
    with database.transaction() as connection:
        outcomes = list(
            site_hospitals.take(connection, hospitals, users=active_users, new_id=given.new_id, at=given.at)
        )
        audit_lines(connection, "hospital", outcomes)
    _place_patients(database)
    _show(outcomes, differences=True)
    click.echo(_summary(Counter(each.sign for each in outcomes)))
    if any(each.details for each in outcomes):
        raise SystemExit(1)


def _place_patients(database: Database) -> None:
    """Give the feed's patients their hospital, whose facility may be named by now."""
    is_more = True
    while is_more:
        with database.transaction() as connection:
            is_more = place(connection, clock.now())


class _Undo(Exception):
    """Ends a dry run."""


#: Gives the connection that a batch is stored with.
_Transaction = Callable[[], Any]


@contextmanager
def _undone(database: Database) -> Iterator[_Transaction]:
    """One transaction for all batches, so that each sees those before it; it is rolled back."""
    try:
        with database.transaction() as connection:

            @contextmanager
            def same() -> Iterator[Connection]:
                yield connection

            yield same
            raise _Undo
    except _Undo:
        return


@contextmanager
def _each_batch(database: Database) -> Iterator[_Transaction]:
    """A transaction for each batch."""
    yield database.transaction


def _given() -> Given:
    now = clock.now()
    return Given(now, lambda: clock.new_uuid(now), _misfits)


def _misfits(resource: str, body: Mapping[str, Any]) -> Details:
    """Return what of a body the specification does not take."""
    return _check(resource).faults(dict(body))


@cache
def _check(resource: str) -> JsonBody:
    return check_of(f"create_{resource}")


def _batches(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    for start in range(0, len(lines), _BATCH):
        yield lines[start : start + _BATCH]


def _all(database: Database, kind: Kind) -> Iterator[Mapping[str, Any]]:
    last = None
    while True:
        with database.statements() as connection:
            found = kind.lines(connection, last)
        if not found:
            return
        yield from (values for _, values in found)
        last = found[-1][0]


def _show(outcomes: Iterable[Outcome], *, differences: bool) -> None:
    """Print each line that was refused and why; what is different too, where that is asked for."""
    for each in outcomes:
        for name, reasons in each.details.items():
            click.echo(f"! line {each.line.number}: {name}: {', '.join(reasons)}")
        if differences and each.sign in ("+", "~"):
            click.echo(f"{each.sign} line {each.line.number}: {each.key}")
            for name, (was, now) in each.differences.items():
                click.echo(f"    {name}: {_short(was)} -> {_short(now)}")


def _short(value: Any) -> str:
    return "-" if value in (None, "", []) else str(value)


def _summary(found: Mapping[str, int]) -> str:
    words = {"+": "made", "~": "changed", "=": "the same", "!": "refused"}
    return ", ".join(f"{found.get(sign, 0)} {word}" for sign, word in words.items())
