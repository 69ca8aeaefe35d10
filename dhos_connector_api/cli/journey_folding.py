"""The commands that look at journeys and fold them anew: show, refold."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import click
from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.audited import audited
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.px.journeys import journey_store, unapplied
from dhos_connector_api.px.journeys.explaining import Language, explain
from dhos_connector_api.px.journeys.histories import history
from dhos_connector_api.px.journeys.refold import FIRST, Piece, Place, Wanted, lines, preview, refold
from dhos_connector_api.px.journeys.unapplied import Unapplied
from dhos_connector_api.px.organizations import store as organizations
from dhos_connector_api.px.organizations.resources import HOSPITAL

#: Journeys after which it is said how far it is.
_SAID_EVERY = 10_000


@click.command("show")
@click.argument("encounter")
@click.option("--language", type=click.Choice(["en", "ar"]), default="en", show_default=True)
@with_settings
def show(settings: Settings, encounter: str, language: Language) -> None:
    """Show the journeys under the number ENCOUNTER, and in sentences how each came to be as it is.

    Then what was told under that number and went into no journey: it waits, or is ignored, and why.

    No patient is named, and no reason that a person gave is shown: one may name a patient (`explain/` of the
    API has them). It ends with 1 where there is no journey.
    """
    with open_database(settings).statements() as connection:
        ids = journey_store.ids_named(connection, encounter)
        for id_, known in journey_store.get(connection, ids).items():
            _show(connection, id_, known.columns, language)
        for each in unapplied.numbered(connection, encounter):
            click.echo(_line(each))
    if not ids:
        raise click.ClickException("no journey has that number")


def _show(connection: Connection, id_: UUID, columns: dict[str, object], language: Language) -> None:
    shown = ("encounter_id", "journey_type", "status", "ending", "started_at", "completed_at")
    click.echo(f"journey {id_}")
    for name in shown:
        click.echo(f"  {name}: {columns[name]}")
    found = history(connection, id_)
    for each in explain(*found, language) if found else ():
        click.echo(f"  {each.text}")


def _line(piece: Unapplied) -> str:
    code = f"{piece.code} ({piece.source_code})" if piece.source_code else piece.code
    at = piece.occurred_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{at}: {code} from {piece.source}: {piece.state}, {piece.reason}"


@click.command("refold")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only those of which was told since (UTC).")
@click.option("--hospital", help="Only those of the hospital with this code.")
@click.option(
    "--template", type=click.UUID, help="Only those that run by this template, by its newest version."
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@with_settings
def refold_journeys(
    settings: Settings, since: datetime | None, hospital: str | None, template: UUID | None, dry_run: bool
) -> None:
    """Fold journeys anew from their evidence, and show what changes: journey, what, before, after.

    Events that waited too long for a hospital or template that there is by now are applied as well.
    Nothing is announced that was announced before.
    """
    database = open_database(settings)
    wanted = Wanted(since and since.replace(tzinfo=UTC), _hospital(database, hospital), template)
    looked_at = changed = 0
    for piece in _pieces(database, wanted, dry_run=dry_run):
        for change in piece.changes:
            for what, before, after in lines(change, piece.codes):
                click.echo(f"{change.columns['encounter_id']}\t{what}\t{before}\t{after}")
        if (looked_at + piece.looked_at) // _SAID_EVERY > looked_at // _SAID_EVERY:
            click.echo(f"{looked_at + piece.looked_at} looked at", err=True)
        looked_at, changed = looked_at + piece.looked_at, changed + len(piece.changes)
    verb = "would change" if dry_run else "changed"
    click.echo(f"{looked_at} journeys looked at, {changed} {verb}", err=True)


def _pieces(database: Database, wanted: Wanted, *, dry_run: bool) -> Iterator[Piece]:
    """Each piece is a transaction of its own, so that no journey is held for long."""
    last: Place | None = FIRST
    while last is not None:
        if dry_run:
            with database.statements() as connection:
                piece = preview(connection, wanted, last)
        else:
            with database.transaction() as connection:
                piece = refold(connection, wanted, last, clock.now())
                if piece.changes:
                    audited(connection, "refold", "journey", None, wanted.hospital)
        yield piece
        last = piece.last


def _hospital(database: Database, code: str | None) -> UUID | None:
    if code is None:
        return None
    with database.statements() as connection:
        found = organizations.by_key(connection, HOSPITAL, code)
    if found is None:
        raise click.ClickException(f"Hospital with code '{code}' not found")
    id_: UUID = found["id"]
    return id_
