"""The commands of the audit trail: read it, verify it, show its seals so that they can be carried away."""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from uuid import UUID

import click
from sqlalchemy import true

from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.px.audit import listing, search
from dhos_connector_api.px.audit.listing import Filters
from dhos_connector_api.px.audit.verify import verify
from dhos_connector_api.px.audit.written import lines

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
_OPTIONS = (
    click.option("--actor", type=click.UUID, help="Only what this user did."),
    click.option("--action", help="Only this action."),
    click.option("--object-type", help="Only what was done to objects of this type."),
    click.option("--object-id", type=click.UUID, help="Only what was done to this object."),
    click.option("--hospital", type=click.UUID, help="Only what was of this hospital."),
    click.option("--from", "since", type=click.DateTime(_FORMATS), help="Only from this time on (UTC)."),
    click.option("--to", "until", type=click.DateTime(_FORMATS), help="Only before this time (UTC)."),
)


@click.group()
def audit() -> None:
    """Look at who did what, and whether that was altered."""


def _filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which entries are wanted, as its argument `filters`."""

    @wraps(command)
    def with_filters(
        *,
        actor: UUID | None,
        action: str | None,
        object_type: str | None,
        object_id: UUID | None,
        hospital: UUID | None,
        since: datetime | None,
        until: datetime | None,
        **more: Any,
    ) -> None:
        times = (_utc(since), _utc(until))
        command(filters=Filters(actor, action, object_type, object_id, hospital, *times), **more)

    for each in reversed(_OPTIONS):
        with_filters = each(with_filters)
    return with_filters


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


@audit.command("list")
@_filtered
@click.option("--limit", type=click.IntRange(1, listing.MOST_COUNTED), default=50, show_default=True)
@with_settings
def list_entries(settings: Settings, filters: Filters, limit: int) -> None:
    """Print the newest entries, the newest first."""
    with open_database(settings).statements() as connection:
        found = listing.page(connection, filters, true(), newest_first=True, offset=0, limit=limit)
        for line in lines(found, "csv"):
            click.echo(line, nl=False)


@audit.command("export")
@_filtered
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@with_settings
def export_entries(settings: Settings, filters: Filters, form: str) -> None:
    """Print all entries as a file, the oldest first."""
    with open_database(settings).statements() as connection:
        for line in lines(listing.every(connection, filters, true()), form):
            click.echo(line, nl=False)


@audit.command("verify")
@click.option("--seal", "carried", multiple=True, help="A hash that `audit seals` printed before.")
@with_settings
def verify_audit(settings: Settings, carried: Sequence[str]) -> None:
    """Compute every seal anew; ends with 1 where a row or a seal was changed, removed or added."""
    wrong = 0
    with open_database(settings).transaction() as connection:
        for each in verify(connection, frozenset(carried)):
            wrong += 1
            place = f"{each.month:%Y-%m}, seal {each.number}: " if each.number else ""
            click.echo(f"{place}{each.text}")
    if wrong:
        sys.exit(1)
    click.echo("every seal fits its rows")


@audit.command("seals")
@with_settings
def list_seals(settings: Settings) -> None:
    """Print every seal, oldest first. Who keeps the last hash elsewhere can give it to verify."""
    with open_database(settings).statements() as connection:
        for each in search.seals(connection):
            click.echo(f"{each.month:%Y-%m}  {each.number}  {each.rows} rows  {each.hash.hex()}")
