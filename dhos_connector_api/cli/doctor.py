"""The command that says whether this installation is well, and what to do where it is not."""

from typing import TextIO

import click

from dhos_connector_api.app import doctor as checkup
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings


@click.command()
@click.option(
    "--log", "log_file", type=click.File(errors="replace"), metavar="FILE",
    help="Our log (LOG_FORMAT=json; - for standard input): list what it says was acknowledged and is gone.",
)  # fmt: skip
@with_settings
def doctor(settings: Settings, log_file: TextIO | None) -> None:
    """Look at database, broker, relay and what waits; say what to do about what is not well.

    Ends with status 1 where something is not well.
    """
    is_well = True
    for each in checkup.findings(settings):
        is_well = is_well and each.is_well
        click.echo(f"{'ok ' if each.is_well else 'BAD'}  {each.subject:<11} {each.text}")
        if each.advice:
            click.echo(f"                 -> {each.advice}")
    if log_file is not None:
        is_well = not _tell_what_is_gone(settings, log_file) and is_well
    if not is_well:
        raise SystemExit(1)


def _tell_what_is_gone(settings: Settings, log_file: TextIO) -> bool:
    """List what was acknowledged and is gone; return whether there is any."""
    number = 0
    for each in checkup.gone(settings, log_file):
        number += 1
        click.echo(f"GONE {each.uuid}  {each.time}  {each.kind} {each.ack} {each.control_id}")
    click.echo(f"{number} were acknowledged, as the log says, and are not in the database")
    return number > 0
