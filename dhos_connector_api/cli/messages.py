"""The commands that look at stored messages: list, show; and how logs name one."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from dhos_connector_api.app import incoming
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.deliveries import delivery_line
from dhos_connector_api.cli.options import rows_of_pages, with_settings
from dhos_connector_api.cli.outbox import envelope_line
from dhos_connector_api.config.load import Settings
from dhos_connector_api.deliveries import search as deliveries
from dhos_connector_api.hl7v2.datetimes import instant
from dhos_connector_api.intake.control_ids import logged
from dhos_connector_api.messages import search, store
from dhos_connector_api.messages.search import Page
from dhos_connector_api.messages.views import FACTS, WHOLE
from dhos_connector_api.outbox import search as outbox_search

#: What is not shown as a line of its own.
_APART = ("content", "received", "ack", "left_out", "content_removed")


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

    def page(connection: Connection, limit: int, before: UUID | None) -> Page:
        if control_id:
            return search.by_control_id(connection, control_id, limit=limit, before=before, shown=FACTS)
        if mrn:
            return search.by_identifier(connection, "MRN", mrn, limit=limit, before=before, shown=FACTS)
        return search.latest(connection, limit=limit, before=before, state=state, unprocessed=unprocessed)

    with open_database(settings).statements() as connection:
        for row in rows_of_pages(partial(page, connection), limit):
            click.echo(_line(row))


@messages.command("show")
@click.argument("uuid", type=click.UUID)
@click.option("--content", is_flag=True, help="Also show the message itself: patient data.")
@with_settings
def show_message(settings: Settings, uuid: UUID, content: bool) -> None:
    """Show what is known of one message, and what became of its envelopes."""
    with open_database(settings).statements() as connection:
        row = store.get(connection, uuid, WHOLE if content else FACTS)
        envelopes = outbox_search.of_message(connection, uuid)
        sent = deliveries.of_message(connection, uuid)
    if row is None:
        raise click.ClickException("there is no message with that uuid")
    for name, value in row.items():
        if name not in _APART and value is not None:
            click.echo(f"{name:<20} {instant(value) if isinstance(value, datetime) else value}")
    for each in row["left_out"] or ():
        click.echo(f"{'left out':<20} {each['code']} {each['location']}: {each['text']}")
    for envelope in envelopes:
        click.echo(f"{'envelope':<20} {envelope_line(envelope)}")
    for delivery in sent:
        click.echo(f"{'delivery':<20} {delivery_line(delivery)}")
    if content and row["content_removed"]:
        click.echo("the message as it was received is no longer kept")
    elif content:
        click.echo(_lines(bytes(row["received"] or b"")))
        click.echo(_lines(bytes(row["ack"] or b"")))


@messages.command("logged-as")
@click.argument("control_id")
@with_settings
def show_logged(settings: Settings, control_id: str) -> None:
    """Show how logs name the message with that MSH-10, where the site has control ids hashed.

    Grep for it: the line says `message_uuid`. Lines from before HS_KEY was rotated have the later ones.
    """
    for key in incoming.log_keys(settings):
        click.echo(logged(control_id, key))


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


def _lines(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\n")
