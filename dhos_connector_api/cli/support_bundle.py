"""The command that writes a support bundle: what somebody who helps has to know, and nothing of a patient."""

import io
import json
import os
import tarfile
from pathlib import Path

import click

from dhos_connector_api import clock
from dhos_connector_api.app import support
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings


@click.command("support-bundle")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, .tar.gz; must not be there.  [default: connector-support-TIME.tar.gz]",
)
@with_settings
def support_bundle(settings: Settings, output: Path | None) -> None:
    """Write a support bundle: versions, settings without secrets, counts, sizes. No patient data.

    What cannot be found out, because the database is away, say, is in it with the cause.
    """
    now = clock.now()
    path = output or Path(f"connector-support-{now:%Y%m%dT%H%M%SZ}.tar.gz")
    unknown = []
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, told in support.parts(settings):
            if isinstance(told, dict) and "not known" in told:
                unknown.append(f"{name}: {told['not known']}")
            content = json.dumps(told, indent=1, default=str, sort_keys=True).encode() + b"\n"
            entry = tarfile.TarInfo(f"connector-support/{name}.json")
            entry.size, entry.mtime = len(content), int(now.timestamp())
            archive.addfile(entry, io.BytesIO(content))
    for line in unknown:
        click.echo(f"not known: {line}", err=True)
    click.echo(str(path))
