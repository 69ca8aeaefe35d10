"""The commands that pretend to be somebody else: a HIS that sends invented patients."""

import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import tzinfo
from random import Random
from threading import Event
from zoneinfo import ZoneInfo

import click

from dhos_connector_api import clock
from dhos_connector_api.app import incoming, tokens
from dhos_connector_api.auth.signatures import Secret
from dhos_connector_api.cli.options import with_settings
from dhos_connector_api.config.load import Settings
from dhos_connector_api.http.settings import HttpSettings, WebhookSettings
from dhos_connector_api.intake.his_patients import hospital_named
from dhos_connector_api.simulate.hospital.his import HospitalOfHis, Transmission
from dhos_connector_api.simulate.hospital.his import simulate as simulate_his
from dhos_connector_api.simulate.send import SimulatedHis


@click.group()
def simulate() -> None:
    """Pretend to be a hospital's system."""


@simulate.command("his")
@click.option("--num-patients", type=click.IntRange(1, 100_000), default=3, show_default=True)
@click.option("--hospital", required=True, help="HospitalName, HospitalID or code.")
@click.option(
    "--rate", type=click.FloatRange(0), default=5, show_default=True, help="Requests a second; 0: no limit."
)
@click.option("--seed", type=int, help="The same seed draws the same patients.  [default: a new one]")
@click.option("--url", help="Where the Connector is.  [default: http://127.0.0.1:SERVER_PORT]")
@click.option("--api-key", help="Key of the source his.  [default: a token made with HS_KEY]")
@click.option("--webhooks", is_flag=True, help="Send signed webhooks too (HIS_WEBHOOK_SECRET).")
@with_settings
def his(
    settings: Settings,
    num_patients: int,
    hospital: str,
    rate: float,
    seed: int | None,
    url: str | None,
    api_key: str | None,
    webhooks: bool,
) -> None:
    """Send invented patients over time as a HIS does: again, out of order, and some of it twice.

    Ends with status 1 when an answer is not what it should be.
    """
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    written, zone = _hospital(settings, hospital)
    numbers = Random(seed)  # noqa: S311  it draws invented people
    now = clock.now().astimezone(zone)
    sent = simulate_his(numbers, num_patients, written, now, webhooks=webhooks)
    simulated = _simulated(settings, url, api_key, webhooks=webhooks)
    click.echo(f"{num_patients} patients of {hospital}, {len(sent)} requests, seed {seed}")
    with click.progressbar(sent, label="sending") as progress:
        _send(simulated, progress, rate)
    _tell(simulated)


def _simulated(settings: Settings, url: str | None, api_key: str | None, *, webhooks: bool) -> SimulatedHis:
    """The HIS that sends there. Raises UsageError where it could not sign."""
    known = settings.of(WebhookSettings).secrets["his"]
    if webhooks and not known:
        raise click.UsageError("--webhooks needs HIS_WEBHOOK_SECRET")
    return SimulatedHis(
        url or settings.of(HttpSettings).local_url(),
        {"X-API-Key": api_key} if api_key else _token(settings),
        secret=Secret(known[0]) if known else None,
        now=clock.now,
        pause=Event().wait,
    )


def _hospital(settings: Settings, wanted: str) -> tuple[HospitalOfHis, tzinfo]:
    """The hospital as the HIS writes it, and its zone, as far as the site's configuration knows it."""
    intake = incoming.intake(settings)()
    known = hospital_named(wanted, wanted, intake.site.his.hospitals)
    if known is None:
        return HospitalOfHis(wanted, wanted), intake.zone
    zone = ZoneInfo(known.time_zone) if known.time_zone else intake.zone
    return HospitalOfHis(min(known.ids, default=known.code), known.name), zone


def _token(settings: Settings) -> dict[str, str]:
    token = tokens.token(settings, scope="write:his", system_id="simulated-his", seconds=86400)
    return {"Authorization": f"Bearer {token}"}


def _send(simulated: SimulatedHis, sent: Iterable[Transmission], rate: float) -> None:
    started = clock.monotonic()
    for number, each in enumerate(sent):
        if rate:
            simulated.pause(max(0.0, started + number / rate - clock.monotonic()))
        simulated.send(each)


def _tell(simulated: SimulatedHis) -> None:
    """The summary. Ends with status 1 where an answer was not what it should be."""
    summary = simulated.summary
    for what, count in sorted(summary.answers.items()):
        click.echo(f"{count:6} {what}")
    click.echo(f"{summary.new_stages:6} new stages")
    for surprise, count in Counter(summary.surprises).most_common():
        click.echo(click.style(f"{count:6} {surprise}", fg="red"))
    if summary.surprises:
        raise SystemExit(1)
