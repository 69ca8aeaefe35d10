"""The command that consumes envelopes, and those that look at what could not be applied."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import click

from dhos_connector_api import clock
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.audited import audited
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.hl7v2.datetimes import instant
from dhos_connector_api.inbox import parking
from dhos_connector_api.processes import run as processes


@click.group(invoke_without_command=True)
@click.option("--no-metrics", is_flag=True, hidden=True)
@click.pass_context
def consume(context: click.Context, no_metrics: bool) -> None:
    """Apply envelopes to patients, taken from RabbitMQ. Several may run."""
    if context.invoked_subcommand is None:
        _run(no_metrics)


@with_settings
def _run(settings: Settings, no_metrics: bool) -> None:
    processes.run_consume(settings, serves_metrics=not no_metrics)


@consume.group()
def parked() -> None:
    """Look at envelopes that could not be applied."""


@parked.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@with_settings
def list_parked(settings: Settings, limit: int) -> None:
    """List what is parked or tried again, oldest first, and how much there is; never what it says."""
    with open_database(settings).statements() as connection:
        counts = parking.counts(connection)
        rows = parking.listed(connection, limit)
    for each in counts:
        click.echo(f"{each['consumer']}: {each['parked']} parked, {each['trying']} are tried again")
    for row in rows:
        click.echo(_line(row))


@parked.command("retry")
@click.argument("ids", nargs=-1, type=click.UUID)
@click.option("--all", "everything", is_flag=True, help="Every envelope that is parked.")
@with_settings
def retry_parked(settings: Settings, ids: Sequence[UUID], everything: bool) -> None:
    """Try envelopes again, at once and from the beginning."""
    if bool(ids) == everything:
        raise click.UsageError("name envelopes by their id, or give --all")
    with open_database(settings).transaction() as connection:
        tried = parking.retry(connection, None if everything else list(ids), clock.now())
        for each in tried:
            audited(connection, "retry", "envelope", each)
    click.echo(f"{len(tried)} are tried again")


def _line(row: Mapping[str, Any]) -> str:
    """One envelope on one line: when it came, how often it was tried, and what kept it from being applied."""
    fate = f"again at {instant(row['next_at'])}" if row["next_at"] else "parked"
    return (
        f"{row['message_id']}  {row['consumer']}  {row['routing_key']}  came {instant(row['arrived_at'])},"
        f" {row['tries']} tries, {fate}, {row['size']} bytes  {row['error']}"
    )
