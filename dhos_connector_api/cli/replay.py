"""The command that publishes stored messages again, or accepts now what was refused."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import click

from dhos_connector_api.app import incoming
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.options import BY, with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import ConnectorError
from dhos_connector_api.intake import replay as replaying
from dhos_connector_api.messages import search


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
    intake = incoming.intake(settings)()
    chosen: Iterator[UUID] | Sequence[UUID] = uuids
    if state:
        chosen = _in_state(database, state, since.replace(tzinfo=UTC) if since else None)
    with click.progressbar(chosen, label="replaying", hidden=bool(uuids)) as progress:
        for uuid in progress:
            try:
                done = replaying.replay(database, uuid, intake, by=BY)
            except ConnectorError as error:
                click.echo(f"{uuid}  {error.text}")
                continue
            click.echo(f"{uuid}  {_replayed(done)}")


def _in_state(database: Database, state: str, since: datetime | None) -> Iterator[UUID]:
    """The uuids of all messages in that state, newest first; those that came later are not among them."""
    before = None
    while True:
        with database.statements() as connection:
            uuids = search.in_state(connection, state, since=since, before=before)
        yield from uuids
        if not uuids:
            return
        before = uuids[-1]


def _replayed(done: replaying.Replayed) -> str:
    if done.refusal is not None:
        return f"still refused: {done.refusal.code} {done.refusal.error} {done.refusal.text}"
    if not done.envelopes:
        return "nothing to publish: nothing in it can be read"
    return f"{'accepted now, ' if done.accepted_now else ''}{done.envelopes} to publish"
