"""The command line: how every process of the Connector starts.

`serve`, `relay` and `all` run services; `web` is one process of `serve`. The commands that look at
messages are in `cli_messages.py`.
"""

import sys
from typing import Any

import click

from dhos_connector_api import __version__, app, cli_messages, config, processes
from dhos_connector_api.cli_settings import with_settings
from dhos_connector_api.errors import ConnectorError


class _Commands(click.Group):
    """Commands in the order they were added, and our failures as one line without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConnectorError as error:
            raise click.ClickException(error.text) from None


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="connector")
def main() -> None:
    """The Connector: takes a hospital's HL7, keeps it, acknowledges it, hands it to RabbitMQ.

    \b
    Start it:        all, or serve and relay one by one
    Prepare it:      migrate, token
    Ask it:          messages list, messages show UUID, outbox list
    Put it right:    replay UUID, outbox retry ID

    Settings come from the environment; the README lists them.
    """


@main.command("all")
@with_settings
def run_all(settings: config.Settings) -> None:
    """Run everything here: database if none is set, migrations, web processes, relay."""
    sys.exit(processes.run_all(settings))


@main.command()
@with_settings
def serve(settings: config.Settings) -> None:
    """Run the web processes."""
    sys.exit(processes.run_service(settings))


@main.command(hidden=True)
@with_settings
def web(settings: config.Settings) -> None:
    """Run one web process; `serve` and `all` start several."""
    processes.run_web(settings)


@main.command(hidden=True)
@with_settings
def metrics(settings: config.Settings) -> None:
    """Serve /metrics on METRICS_PORT; `serve` and `all` start it."""
    processes.run_metrics(settings)


@main.command()
@with_settings
def relay(settings: config.Settings) -> None:
    """Run the relay: publish what waits in the outbox. One is active, others stand by."""
    processes.run_relay(settings)


@main.command()
@click.option("--revision", default="head", show_default=True, help="Up to this migration.")
@with_settings
def migrate(settings: config.Settings, revision: str) -> None:
    """Bring the database to the newest migration."""
    processes.run_migrations(settings, revision)
    click.echo("the database is up to date")


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
def token(settings: config.Settings, issuer: str, scope: str, system_id: str, seconds: int | None) -> None:
    """Print a token, made with this environment's keys."""
    click.echo(app.token(settings, issuer=issuer, scope=scope, system_id=system_id, seconds=seconds))


for command in (cli_messages.send, cli_messages.messages, cli_messages.outbox, cli_messages.replay):
    main.add_command(command)
