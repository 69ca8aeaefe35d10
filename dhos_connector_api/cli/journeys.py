"""The commands for journeys: seed-his, seed, export, import, and show and refold of `journey_folding`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli import journey_files as files
from dhos_connector_api.cli.audited import audit_lines, audited
from dhos_connector_api.cli.journey_folding import refold_journeys, show
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.px.journeys import seeding
from dhos_connector_api.px.journeys import template_importing as importing
from dhos_connector_api.px.journeys.resources import STAGE, TEMPLATE
from dhos_connector_api.px.journeys.seeding import Seeded
from dhos_connector_api.px.journeys.seeds import HIS, STANDARD, Seed
from dhos_connector_api.px.organizations import store as organizations
from dhos_connector_api.px.organizations.imported import Given
from dhos_connector_api.px.organizations.resources import HOSPITAL, Status
from dhos_connector_api.px.organizations.store import Row
from dhos_connector_api.spec.kept_body import check_of

_hospital = click.option("--hospital", metavar="CODE", help="Of this hospital alone.")
_NO_DEFAULT = "there is no default: what opens a journey waits until a template is active and the default"
_WORDS = {"create": "made", "change": "changed", None: "the same"}


@click.group()
def journeys() -> None:
    """Templates of journeys: seeds, and files; journeys shown, and folded anew."""


journeys.add_command(show)
journeys.add_command(refold_journeys)


@journeys.command("seed-his")
@_hospital
@click.option("--survey-template-id", type=click.UUID, help="The survey after discharge.")
@with_settings
def seed_his(settings: Settings, hospital: str | None, survey_template_id: UUID | None) -> None:
    """Make the template of the HIS's visits, for each active hospital, as often as you like."""
    _seed(settings, hospital, (HIS,), survey_template_id)


@journeys.command()
@_hospital
@with_settings
def seed(settings: Settings, hospital: str | None) -> None:
    """Make a template for emergencies, inpatients and outpatients, for each active hospital."""
    _seed(settings, hospital, STANDARD)


@journeys.command()
@_hospital
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@with_settings
def export(settings: Settings, hospital: str | None, file: Path | None) -> None:
    """Write all templates to FILE in TOML, as `import` takes them.  [default: standard output]"""
    with open_database(settings).statements() as connection:
        rows = _hospitals(connection, hospital)
        text = files.write([told for row in rows for told in importing.told(connection, row)])
    if file is None:
        click.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


@journeys.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would become different, and change nothing.")
@with_settings
def import_file(settings: Settings, file: Path, dry_run: bool) -> None:
    """Make the templates of FILE what it says: all of them, or none where one is refused.

    \b
    + made   ~ changed   = the same   ! refused
    A stage that FILE does not name any more becomes inactive; templates that it does not name stay.
    """
    templates, now = files.read(file), clock.now()
    given = Given(now, lambda: clock.new_uuid(now), lambda name, body: _check(name, dict(body)))
    done = []
    try:
        with open_database(settings).transaction() as connection:
            done = [importing.take(connection, each, given) for each in importing.in_order(templates)]
            audit_lines(connection, TEMPLATE.name, [each.template for each in done])
            audit_lines(connection, STAGE.name, [stage for each in done for stage in each.stages])
            if dry_run or any(each.is_refused for each in done):
                raise _Undo
    except _Undo:
        pass
    for line in files.shown(done):
        click.echo(line)
    refused = any(each.is_refused for each in done)
    click.echo(files.summary(done) + (", nothing is changed" if dry_run or refused else ""))
    if refused:
        raise SystemExit(1)


class _Undo(Exception):
    """Ends a transaction that is to change nothing."""


def _check(name: str, body: dict[str, object]) -> dict[str, list[str]]:
    """Return what of a body the specification does not take."""
    return check_of(f"create_{name}").faults(body)


def _seed(settings: Settings, code: str | None, seeds: Iterable[Seed], survey: UUID | None = None) -> None:
    database = open_database(settings)
    with database.statements() as connection:
        hospitals = list(_hospitals(connection, code, only_active=True))
    for hospital in hospitals:
        with database.transaction() as connection:
            done = [
                seeding.seed(connection, hospital["id"], each, at=clock.now(), survey=survey)
                for each in seeds
            ]
            for action, type_, each in (entry for found in done for entry in seeding.entries(found)):
                audited(connection, action, type_, each.row["id"], hospital["id"], each.fields)
        for found in done:
            _say(hospital, found)
    if not hospitals:
        click.echo("there is no active hospital")


def _say(hospital: Row, found: Seeded) -> None:
    row = found.template.row
    click.echo(f"{hospital['code']}: {row['journey_type']}: {row['name']}: {_WORDS[found.action]}")
    if found.other is not None:
        other = found.other["name"]
        click.echo(f"{hospital['code']}: {row['journey_type']}: {other} stays the default")
    if found.has_no_default:
        click.echo(f"{hospital['code']}: {row['journey_type']}: {_NO_DEFAULT}")


def _hospitals(connection: Connection, code: str | None, *, only_active: bool = False) -> Iterator[Row]:
    """Yield the hospital of that code, or all."""
    if code is not None:
        found = organizations.by_key(connection, HOSPITAL, code)
        if found is None:
            raise click.ClickException(f"Hospital with code '{code}' not found")
        if only_active and found["status"] != Status.ACTIVE:
            raise click.ClickException(f"Hospital with code '{code}' is inactive")
        yield found
        return
    last = None
    while rows := organizations.after(connection, HOSPITAL, last, 500):
        yield from (each for each in rows if not only_active or each["status"] == Status.ACTIVE)
        last = rows[-1]["id"]
