"""The commands that look at deliveries to the hospital and put them right: list, show, retry, cancel."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click

from dhos_connector_api import clock
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.options import BY, Duration, rows_of_pages, with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.deliveries import operate, search
from dhos_connector_api.deliveries.search import Wanted
from dhos_connector_api.errors import ConnectorError
from dhos_connector_api.hl7v2.datetimes import instant

_TIMES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")


@click.group()
def deliveries() -> None:
    """Look at what goes out to the hospital, and put it right."""


@deliveries.command("list")
@click.option("--state", type=click.Choice(search.STATES), help="Only these.")
@click.option("--destination", help="Only those to epr, mllp or mirth.")
@click.option("--older-than", type=Duration(), help="Only those queued longer ago, such as 30m.")
@click.option("--newer-than", type=Duration(), help="Only those queued since, such as 12h.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@with_settings
def list_deliveries(
    settings: Settings,
    state: str | None,
    destination: str | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
    limit: int,
) -> None:
    """List deliveries, newest first, and how each destination is doing."""
    now = clock.now()
    wanted = Wanted(
        state=state,
        destination=destination,
        created_before=now - older_than if older_than else None,
        created_since=now - newer_than if newer_than else None,
    )
    with open_database(settings).statements() as connection:
        depths = search.depths(connection)
        for each in depths:
            since = f", the oldest since {instant(each.oldest)}" if each.oldest else ""
            failing = f", FAILING since {instant(each.failing_since)}" if each.failing_since else ""
            click.echo(f"{each.destination}: {each.waiting} waiting{since}, {each.dead} dead{failing}")

        def page(limit: int, before: UUID | None) -> search.Page:
            return search.page(connection, wanted, limit=limit, before=before)

        for row in rows_of_pages(page, limit):
            click.echo(delivery_line(row))


@deliveries.command("show")
@click.argument("uuid", type=click.UUID)
@click.option("--detail", is_flag=True, help="Also show what the destination said: may name a patient.")
@with_settings
def show_delivery(settings: Settings, uuid: UUID, detail: bool) -> None:
    """Show one delivery and every attempt at it."""
    with open_database(settings).statements() as connection:
        row = search.get(connection, uuid)
        attempts = search.attempts(connection, uuid)
    if row is None:
        raise click.ClickException("there is no delivery with that uuid")
    for name, value in row.items():
        if value is not None:
            click.echo(f"{name:<20} {instant(value) if isinstance(value, datetime) else value}")
    for attempt in attempts:
        click.echo(f"{'attempt':<20} {_attempt_line(attempt)}")
        if detail and attempt["detail"]:
            click.echo(f"{'':<20} {attempt['detail']}")


@deliveries.command("retry")
@click.argument("uuids", nargs=-1, type=click.UUID)
@click.option("--dead", is_flag=True, help="Every dead delivery instead.")
@click.option("--destination", help="Every dead delivery to this destination.")
@click.option("--since", type=click.DateTime(_TIMES), help="Only those that died since that time (UTC).")
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 1000),
    default=5.0,
    show_default=True,
    help="How many become due in a second, when there are many.",
)
@with_settings
def retry_deliveries(
    settings: Settings,
    uuids: Sequence[UUID],
    dead: bool,
    destination: str | None,
    since: datetime | None,
    rate: float,
) -> None:
    """Attempt deliveries again, their schedule begun anew.

    One that a newer one of its series has replaced is left alone.
    """
    many = dead or destination is not None or since is not None
    if bool(uuids) == many:
        raise click.UsageError("name deliveries by their uuid, or give --dead, --destination or --since")
    database = open_database(settings)
    if many:
        with database.transaction() as connection:
            count = operate.retry_dead(
                connection,
                destination=destination,
                since=since.replace(tzinfo=UTC) if since else None,
                seconds_apart=1 / rate,
                by=BY,
                now=clock.now(),
            )
        click.echo(f"{count} will become due again within {count / rate:.0f} s")
        return
    for uuid in uuids:
        with _named(uuid), database.transaction() as connection:
            operate.retry(connection, uuid, by=BY, now=clock.now())
        click.echo(f"{uuid}  will be attempted again")


@deliveries.command("cancel")
@click.argument("uuids", nargs=-1, required=True, type=click.UUID)
@with_settings
def cancel_deliveries(settings: Settings, uuids: Sequence[UUID]) -> None:
    """Give deliveries up; `retry` takes that back."""
    database = open_database(settings)
    for uuid in uuids:
        with _named(uuid), database.transaction() as connection:
            operate.cancel(connection, uuid, by=BY, now=clock.now())
        click.echo(f"{uuid}  cancelled")


@contextmanager
def _named(uuid: UUID) -> Iterator[None]:
    """Name the delivery in an error about it."""
    try:
        yield
    except ConnectorError as error:
        raise click.ClickException(f"{uuid}: {error.text}") from None


def delivery_line(row: Any) -> str:
    """One delivery on one line."""
    when = {
        "waiting": f"due {instant(row['due_at'])}",
        "sending": f"until {instant(row['leased_until'])}" if row["leased_until"] else "",
    }.get(row["state"], f"at {instant(row['settled_at'])}" if row["settled_at"] else "")
    attempts = f"{row['attempts']} attempts"
    if row["ambiguous"]:
        attempts += f", {row['ambiguous']} ambiguous"
    parts = (
        row["uuid"],
        instant(row["created"]),
        row["destination"],
        f"{row['state']:<10}",
        row["ack_status"] or "--",
        when,
        attempts,
        row["message_control_id"] or "",
        row["last_error"] or "",
    )
    return "  ".join(map(str, parts)).rstrip()


def _attempt_line(row: Any) -> str:
    """One attempt on one line."""
    took = "" if row["seconds"] is None else f"{row['seconds']:.3f} s"
    status = "" if row["http_status"] is None else f"HTTP {row['http_status']}"
    outcome = row["outcome"] or "under way"
    said = (row["number"], instant(row["started_at"]), outcome, took, status, row["ack_code"], row["error"])
    return "  ".join(str(part) for part in said if part not in (None, ""))
