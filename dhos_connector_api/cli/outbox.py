"""The commands that look at envelopes and put them right: list, retry."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click

from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.hl7v2.datetimes import instant
from dhos_connector_api.outbox import search as outbox_search
from dhos_connector_api.outbox import store as outbox_store


@click.group()
def outbox() -> None:
    """Look at envelopes that wait for RabbitMQ."""


@outbox.command("list")
@click.option("--dead", is_flag=True, help="Only those that can never be published.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@with_settings
def list_outbox(settings: Settings, dead: bool, limit: int) -> None:
    """List envelopes that are not published, oldest first, and how many there are."""
    with open_database(settings).statements() as connection:
        depth = outbox_search.depth_and_age(connection)
        rows = outbox_search.unpublished(connection, dead=dead, limit=limit)
    for each in depth:
        since = f", the oldest since {instant(each.oldest)}" if each.oldest else ""
        click.echo(f"{each.routing_key}: {each.waiting} waiting{since}, {each.dead} dead")
    for row in rows:
        click.echo(envelope_line(row))


@outbox.command("retry")
@click.argument("ids", nargs=-1, type=click.UUID)
@click.option("--all-dead", is_flag=True, help="Every envelope that is marked dead.")
@with_settings
def retry_outbox(settings: Settings, ids: Sequence[UUID], all_dead: bool) -> None:
    """Make dead envelopes wait for the relay again."""
    if bool(ids) == all_dead:
        raise click.UsageError("name envelopes by their id, or give --all-dead")
    with open_database(settings).transaction() as connection:
        count = outbox_store.retry(connection, None if all_dead else list(ids))
    click.echo(f"{count} wait for the relay again")


def envelope_line(row: Any) -> str:
    """One envelope on one line, and what became of it."""
    if row["published_at"]:
        fate = f"published {instant(row['published_at'])}"
    elif row["dead_at"]:
        fate = f"dead since {instant(row['dead_at'])}"
    else:
        fate = f"waiting since {instant(row['created'])}"
    attempts = f"{row['attempts']} attempts"
    return f"{row['id']}  {row['routing_key']}  {fate}, {attempts}  {row['last_error'] or ''}".rstrip()
