"""The command that takes merges of a patient back: `organizations unmerge`."""

from uuid import UUID

import click

from dhos_connector_api import clock
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.cli.audited import audited
from dhos_connector_api.cli.options import BY, with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.px.organizations.unmerge import unmerge as take_back


@click.command()
@click.argument("patient", type=click.UUID)
@with_settings
def unmerge(settings: Settings, patient: UUID) -> None:
    """Make PATIENT (an id), who was merged into another by mistake, one of his own again."""
    with open_database(settings).transaction() as connection:
        changed = take_back(connection, patient, at=clock.now(), by=BY)
        audited(connection, "unmerge", "patient", patient, fields=("merged_into",))
    click.echo(f"unmerged: {changed} patients have another survivor now, or none")
