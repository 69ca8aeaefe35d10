"""The command that publishes stored messages again, or accepts now what was refused."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from uuid import UUID

import click

from dhos_connector_api.app import incoming
from dhos_connector_api.app.hospitals import KnownHospitals
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.options import BY, with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import Database
from dhos_connector_api.errors import Conflict, ConnectorError
from dhos_connector_api.intake import replay as replaying
from dhos_connector_api.intake.stored import Replayed
from dhos_connector_api.messages import search


class Status(IntEnum):
    """The exit status of `replay`; of several that apply it is the last one here."""

    TAKEN = 0
    REFUSED = 3  # the rules of today refuse one, or nothing in it can be read
    CONFLICT = 4  # another message has its control id, or was accepted in its place
    FAILED = 1  # one is not there, or the database is away; as of every command


@click.command()
@click.argument("uuids", nargs=-1, type=click.UUID)
@click.option("--state", type=click.Choice(["refused"]), help="Every message in that state instead.")
@click.option("--since", type=click.DateTime(), help="Only those that came at or after this time (UTC).")
@click.option(
    "--force-new", is_flag=True, help="Accept HL7 messages although another message has their control id."
)
@with_settings
def replay(
    settings: Settings, uuids: Sequence[UUID], state: str | None, since: datetime | None, force_new: bool
) -> None:
    """Publish stored messages again, or accept now what was refused when it came.

    Envelopes keep their message_id, so that a consumer which has applied one applies it no second time.
    --force-new takes messages answered AR 205 because their sender has used a control id twice, each once.

    Ends with status 0 where all were taken, 3 where one is still refused, 4 where another message was taken
    in its place or has its control id, 1 where one is not there.
    """
    if bool(uuids) == bool(state):
        raise click.UsageError("name messages by their uuid, or give --state")
    if force_new and state:
        raise click.UsageError("--force-new goes with messages named by their uuid: look at each of them")
    database = open_database(settings)
    intake = incoming.intake(settings, hospitals=KnownHospitals(database))()
    chosen: Iterator[UUID] | Sequence[UUID] = uuids
    if state:
        chosen = _in_state(database, state, since.replace(tzinfo=UTC) if since else None)
    found = {Status.TAKEN}
    with click.progressbar(chosen, label="replaying", hidden=bool(uuids)) as progress:
        for uuid in progress:
            try:
                done = replaying.replay(database, uuid, intake, by=BY, force_new=force_new)
            except ConnectorError as error:
                click.echo(f"{uuid}  {error.text}")
                found.add(Status.CONFLICT if isinstance(error, Conflict) else Status.FAILED)
                continue
            click.echo(f"{uuid}  {_replayed(done)}")
            found.add(Status.TAKEN if done.is_taken else Status.REFUSED)
    sys.exit(max(found, key=list(Status).index))


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


def _replayed(done: Replayed) -> str:
    if done.refusal is not None:
        return f"still refused: {done.refusal.code} {done.refusal.error} {done.refusal.text}"
    if done.done_before:
        return "accepted before; without --force-new it is published again"
    if not done.is_taken:
        return "nothing to publish: nothing in it can be read"
    return f"{'accepted now, ' if done.accepted_now else ''}{done.envelopes} to publish"
