"""The commands that look at stored messages and put them right: messages, outbox, replay."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from dhos_connector_api.actions.process_event import instant
from dhos_connector_api.app.incoming import IntakeSource
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.deliveries import delivery_line
from dhos_connector_api.cli.options import BY, with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.deliveries import search as deliveries
from dhos_connector_api.errors import ConnectorError
from dhos_connector_api.intake import replay as replaying
from dhos_connector_api.messages import search, store
from dhos_connector_api.outbox import store as outbox_store
from dhos_connector_api.site import source as site_source
from dhos_connector_api.site.settings import SiteSettings


@click.group()
def messages() -> None:
    """Look at stored messages."""


@messages.command("list")
@click.option("--state", type=click.Choice(search.STATES), help="Only these.")
@click.option("--unprocessed", is_flag=True, help="Only accepted ones the platform has not processed.")
@click.option("--control-id", help="Only those with this MSH-10.")
@click.option("--mrn", help="Only those under this MRN, and under MRNs merged into it.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@with_settings
def list_messages(
    settings: Settings,
    state: str | None,
    unprocessed: bool,
    control_id: str | None,
    mrn: str | None,
    limit: int,
) -> None:
    """List messages, newest first."""
    with open_database(settings).statements() as connection:
        if control_id:
            page = search.by_control_id(connection, control_id, limit=limit, before=None)
        elif mrn:
            page = search.by_identifier(connection, "MRN", mrn, limit=limit, before=None)
        else:
            page = search.latest(connection, limit=limit, state=state, unprocessed=unprocessed)
    for row in page.rows:
        click.echo(_line(row))


@messages.command("show")
@click.argument("uuid", type=click.UUID)
@click.option("--content", is_flag=True, help="Also show the message itself: patient data.")
@with_settings
def show_message(settings: Settings, uuid: UUID, content: bool) -> None:
    """Show what is known of one message, and what became of its envelopes."""
    with open_database(settings).statements() as connection:
        row = store.get(connection, uuid)
        envelopes = outbox_store.of_message(connection, uuid)
        sent = deliveries.of_message(connection, uuid)
    if row is None:
        raise click.ClickException("there is no message with that uuid")
    for name, value in row.items():
        if name not in ("content", "received", "ack") and value is not None:
            click.echo(f"{name:<20} {instant(value) if isinstance(value, datetime) else value}")
    for envelope in envelopes:
        click.echo(f"{'envelope':<20} {_fate(envelope)}")
    for delivery in sent:
        click.echo(f"{'delivery':<20} {delivery_line(delivery)}")
    if content:
        click.echo(_lines(bytes(row["received"] or b"")))
        click.echo(_lines(bytes(row["ack"] or b"")))


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
        depth = outbox_store.depth_and_age(connection)
        rows = outbox_store.unpublished(connection, dead=dead, limit=limit)
    for each in depth:
        since = f", the oldest since {instant(each.oldest)}" if each.oldest else ""
        click.echo(f"{each.routing_key}: {each.waiting} waiting{since}, {each.dead} dead")
    for row in rows:
        click.echo(_fate(row))


@outbox.command("retry")
@click.argument("ids", nargs=-1, type=click.UUID)
@click.option("--all-dead", is_flag=True, help="Every envelope that is marked dead.")
@with_settings
def retry_outbox(settings: Settings, ids: Sequence[UUID], all_dead: bool) -> None:
    """Let dead envelopes wait for the relay again."""
    if bool(ids) == all_dead:
        raise click.UsageError("name envelopes by their id, or give --all-dead")
    with open_database(settings).transaction() as connection:
        count = outbox_store.retry(connection, None if all_dead else list(ids))
    click.echo(f"{count} wait for the relay again")


@click.command()
@click.argument("uuids", nargs=-1, type=click.UUID)
@click.option("--state", type=click.Choice(["refused"]), help="Every message in that state instead.")
@click.option("--since", type=click.DateTime(), help="Only those that came at or after this time (UTC).")
@with_settings
def replay(settings: Settings, uuids: Sequence[UUID], state: str | None, since: datetime | None) -> None:
    """Publish stored messages again, or accept now what was refused when it came.

    Envelopes keep their message_id, so that a consumer which has applied one applies it no second time.
    """
    if bool(uuids) == bool(state):
        raise click.UsageError("name messages by their uuid, or give --state")
    database = open_database(settings)
    intake = IntakeSource(settings, site_source.source(settings.of(SiteSettings)))()
    chosen: Iterator[UUID] | Sequence[UUID] = uuids
    if state:
        chosen = list(_in_state(database, state, since.replace(tzinfo=UTC) if since else None))
    with click.progressbar(chosen, label="replaying", hidden=bool(uuids)) as progress:
        for uuid in progress:
            try:
                done = replaying.replay(database, uuid, intake, by=BY)
            except ConnectorError as error:
                click.echo(f"{uuid}  {error.text}")
                continue
            click.echo(f"{uuid}  {_replayed(done)}")


def _in_state(database: Database, state: str, since: datetime | None) -> Iterator[UUID]:
    """The uuids of all messages in that state, newest first."""
    before = None
    while True:
        with database.statements() as connection:
            page = search.latest(connection, limit=500, before=before, state=state)
        for row in page.rows:
            if since and row["created"] < since:
                return
            yield row["uuid"]
        before = page.next_before
        if before is None:
            return


def _replayed(done: replaying.Replayed) -> str:
    if done.refusal is not None:
        return f"still refused: {done.refusal.code} {done.refusal.error} {done.refusal.text}"
    if not done.envelopes:
        return "nothing to publish: nothing in it can be read"
    return f"{'accepted now, ' if done.accepted_now else ''}{done.envelopes} to publish"


def _line(row: Any) -> str:
    """One message on one line."""
    parts = (
        row["uuid"],
        instant(row["created"]),
        f"{row['event_code'] or '-':<8}",
        row["ack_status"] or "--",
        f"{row['state']:<11}",
        "processed" if row["is_processed"] else " " * 9,
        row["message_control_id"] or "",
        row["error_text"] or "",
    )
    return "  ".join(map(str, parts)).rstrip()


def _fate(row: Any) -> str:
    """One envelope on one line, and what became of it."""
    if row["published_at"]:
        fate = f"published {instant(row['published_at'])}"
    elif row["dead_at"]:
        fate = f"dead since {instant(row['dead_at'])}"
    else:
        fate = f"waiting since {instant(row['created'])}"
    attempts = f"{row['attempts']} attempts"
    return f"{row['id']}  {row['routing_key']}  {fate}, {attempts}  {row['last_error'] or ''}".rstrip()


def _lines(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\n")
