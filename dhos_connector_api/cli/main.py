"""The command line: how every process of the Connector starts.

`serve`, `mllp`, `relay`, `deliver`, `consume` and `all` run services; `web` is one process of `serve`. Every
other group of commands is a module of its name in this room.
"""

import sys
from typing import Any

import click

from dhos_connector_api import __version__
from dhos_connector_api.app import tokens
from dhos_connector_api.cli import audit as cli_audit
from dhos_connector_api.cli import consume as cli_consume
from dhos_connector_api.cli import deliveries as cli_deliveries
from dhos_connector_api.cli import doctor as cli_doctor
from dhos_connector_api.cli import generate as cli_generate
from dhos_connector_api.cli import journeys as cli_journeys
from dhos_connector_api.cli import keys as cli_keys
from dhos_connector_api.cli import messages as cli_messages
from dhos_connector_api.cli import organizations as cli_organizations
from dhos_connector_api.cli import outbox as cli_outbox
from dhos_connector_api.cli import people as cli_people
from dhos_connector_api.cli import replay as cli_replay
from dhos_connector_api.cli import send as cli_send
from dhos_connector_api.cli import simulate as cli_simulate
from dhos_connector_api.cli import support_bundle as cli_support_bundle
from dhos_connector_api.cli.options import with_database_settings, with_settings
from dhos_connector_api.config import environment
from dhos_connector_api.config.load import Settings
from dhos_connector_api.errors import ConnectorError
from dhos_connector_api.processes import health as process_health
from dhos_connector_api.processes import run as processes
from dhos_connector_api.processes import start


class _Commands(click.Group):
    """Commands in the order they were added, and our failures as one line without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConnectorError as error:
            raise click.ClickException(error.full_text) from None


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="connector")
def main() -> None:
    """The Connector: takes a hospital's HL7, keeps it, acknowledges it, hands it to RabbitMQ.

    \b
    Start it:        all, or serve, mllp, relay, deliver and consume one by one
    Prepare it:      migrate, token
    Watch it:        health relay
    Try it:          send FILE, generate --patients 100, simulate his --hospital NAME
    Ask it:          doctor, messages list, messages show UUID, outbox list, deliveries list,
                     consume parked list
    Ask for help:    support-bundle
    Put it right:    replay UUID, outbox retry ID, deliveries retry UUID, consume parked retry ID,
                     organizations unmerge PATIENT
    Let systems in:  keys create --source his, keys list, keys rotate ID, keys revoke ID
    Organise it:     organizations import FILE --kind departments, organizations import-site,
                     organizations identify CODE VALUE --source hl7v2
    Journeys:        journeys seed-his, journeys seed, journeys export FILE, journeys import FILE,
                     journeys show NUMBER, journeys refold --dry-run
    Let people in:   people create-admin, people list, people set-password NAME, people unlock NAME

    Settings come from the environment; the README lists them.
    """


@main.command("all")
@with_settings
def run_all(settings: Settings) -> None:
    """Run everything here: database if none is set, migrations, web, MLLP if set, relay, deliveries."""
    sys.exit(start.start_all(settings))


@main.command()
@with_settings
def serve(settings: Settings) -> None:
    """Run the web processes."""
    sys.exit(start.start_web(settings))


@main.command(hidden=True)
@with_settings
def web(settings: Settings) -> None:
    """Run one web process; `serve` and `all` start several."""
    processes.run_web(settings)


@main.command()
@with_settings
def mllp(settings: Settings) -> None:
    """Run the MLLP processes: listen for senders, as the file MLLP_LISTENERS says."""
    sys.exit(start.start_mllp(settings))


@main.command("mllp-process", hidden=True)
@with_settings
def mllp_process(settings: Settings) -> None:
    """Run one MLLP process; `mllp` and `all` start several."""
    processes.run_mllp_process(settings)


@main.command(hidden=True)
@click.option("--port", type=click.IntRange(1, 65535), help="[default: METRICS_PORT]")
@with_settings
def metrics(settings: Settings, port: int | None) -> None:
    """Serve /metrics; `serve`, `mllp` and `all` start it where a port is set for it."""
    processes.run_metrics(settings, port)


@main.command()
@with_settings
def relay(settings: Settings) -> None:
    """Run the relay: publish what waits in the outbox. One is active, others stand by."""
    processes.run_relay(settings)


@main.command()
@with_settings
def deliver(settings: Settings) -> None:
    """Run the deliveries: send what is queued for the hospital. Several may run."""
    processes.run_deliver(settings)


@main.command()
@click.argument("command", type=click.Choice(list(process_health.PORTS)))
def health(command: str) -> None:
    """Ask the process of COMMAND on this machine whether it runs; ends with 1 where it does not."""
    if found := process_health.problem(command, environment.variables()):
        raise click.ClickException(found)


@main.command()
@click.option("--revision", default="head", show_default=True, help="Up to this migration.")
@with_database_settings
def migrate(settings: Settings, revision: str) -> None:
    """Bring the database to the newest migration."""
    if processes.run_migrations(settings, revision):
        click.echo("the database is up to date")
    else:
        click.echo("a newer build has migrated the database: nothing is done, and this build works on it")


@main.command()
@click.option(
    "--issuer", type=click.Choice(["internal", "epr_adapter"]), default="internal", show_default=True
)
@click.option("--scope", default="write:hl7_message read:hl7_message", show_default=True)
@click.option("--system-id", default="command-line", show_default=True, help="Who calls: becomes created_by.")
@click.option(
    "--seconds", type=click.IntRange(1, 86400), help="How long it is valid.  [default: JWT_EXPIRY_IN_SECONDS]"
)
@with_settings
def token(settings: Settings, issuer: str, scope: str, system_id: str, seconds: int | None) -> None:
    """Print a token, made with this environment's keys."""
    click.echo(tokens.token(settings, issuer=issuer, scope=scope, system_id=system_id, seconds=seconds))


for command in (
    cli_doctor.doctor,
    cli_send.send,
    cli_generate.generate,
    cli_messages.messages,
    cli_outbox.outbox,
    cli_replay.replay,
    cli_deliveries.deliveries,
    cli_consume.consume,
    cli_keys.keys,
    cli_audit.audit,
    cli_organizations.organizations,
    cli_journeys.journeys,
    cli_people.people,
    cli_simulate.simulate,
    cli_support_bundle.support_bundle,
):
    main.add_command(command)
