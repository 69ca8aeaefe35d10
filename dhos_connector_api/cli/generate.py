"""`generate`: a believable stream of an invented hospital, to files, a Connector or an MLLP receiver."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from dhos_connector_api.cli.sending import (
    TIMEOUT,
    http_client,
    mllp_options,
    send_over_http,
    send_over_mllp,
    summed_up,
    telling,
    until_acknowledged_option,
)
from dhos_connector_api.deliveries.transports.mllp_line import Receiver
from dhos_connector_api.simulate.hospital.stream import Simulated, stream
from dhos_connector_api.simulate.mllp_client import Plan

#: As many as there are NHS numbers to give.
_MOST_PATIENTS = 900_000


@click.command()
@click.option("--patients", type=click.IntRange(1, _MOST_PATIENTS), default=100, show_default=True)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Another one: other patients."
)
@click.option(
    "--start",
    type=click.DateTime(),
    default="2026-01-01T08:00:00",
    show_default=True,
    help="When the first patient comes (UTC).",
)
@click.option(
    "--processing-id", type=click.Choice(["P", "T", "D"]), default="T", show_default=True, help="MSH-11."
)
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Write all into one file.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Write a file for each.")
@click.option("--url", help="Post to the Connector there.")
@click.option("--token", help="Bearer token for --url.  [default: one made with HS_KEY]")
@mllp_options
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="At most so many messages a second (--url, --mllp).",
)
@until_acknowledged_option
def generate(
    patients: int,
    seed: int,
    start: datetime,
    processing_id: str,
    file: Path | None,
    folder: Path | None,
    url: str | None,
    token: str | None,
    receiver: Receiver | None,
    rate: float | None,
    until_acknowledged: bool,
) -> None:
    """Make the ADT messages that a hospital sends of so many invented patients, in the order of time.

    Admissions, transfers, updates, discharges, cancellations and merges. The same options give the same
    bytes. They go to --file, --folder, --url or --mllp, else to standard output. Ends with status 1
    unless all were taken (AA, CA).
    """
    if sum(where is not None for where in (file, folder, url, receiver)) > 1:
        raise click.UsageError("give one of --file, --folder, --url and --mllp")
    if (token and url is None) or (until_acknowledged and receiver is None):
        raise click.UsageError("--token goes with --url, --until-acknowledged with --mllp")
    if rate and url is None and receiver is None:
        raise click.UsageError("--rate goes with --url or --mllp: files are written at once")
    made = stream(patients, seed=seed, start=start.replace(tzinfo=UTC), processing_id=processing_id)
    triggers: Counter[str] = Counter()
    with summed_up(timed=True, err=True) as summary:
        with click.progressbar(length=patients, label="patients", file=sys.stderr) as progress:
            counted = _counted(made, triggers, progress.update)
            contents, on_answer = (each.content for each in counted), telling(summary, each=False)
            if receiver is not None:
                send_over_mllp(contents, receiver, Plan(1, rate, TIMEOUT, until_acknowledged), on_answer)
            elif url is not None:
                send_over_http(contents, http_client(url, token, raw=True), on_answer, rate=rate)
            else:
                _write(counted, file, folder)
        counts = ", ".join(f"{count} {trigger}" for trigger, count in sorted(triggers.items()))
        click.echo(f"{triggers.total()} messages of {patients} patients: {counts}", err=True)


def _counted(
    made: Iterator[Simulated], triggers: Counter[str], progress: Callable[[int], None]
) -> Iterator[Simulated]:
    """The same, counted by trigger; the progress is that of patients who have come."""
    arrived = 0
    for each in made:
        triggers[each.occurrence.trigger] += 1
        progress(each.arrived - arrived)
        arrived = each.arrived
        yield each


def _write(made: Iterator[Simulated], file: Path | None, folder: Path | None) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for number, each in enumerate(made, 1):
            (folder / f"{number:06}_ADT_{each.occurrence.trigger}.hl7").write_bytes(each.content)
    elif file is not None:
        with file.open("wb") as output:
            output.writelines(each.content for each in made)
    else:
        for each in made:
            click.echo(each.content, nl=False)
