"""The commands that start several processes and watch over them: `serve`, `mllp` and `all`."""

import sys
from pathlib import Path

import click

from dhos_connector_api.app import configuration
from dhos_connector_api.app.demo import first_people
from dhos_connector_api.app.mllp import create_mllp
from dhos_connector_api.app.storage import check_durable
from dhos_connector_api.broker.settings import BrokerSettings
from dhos_connector_api.config import environment
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.db.embedded import EmbeddedPostgres
from dhos_connector_api.db.settings import DatabaseSettings
from dhos_connector_api.http import serving
from dhos_connector_api.http.settings import HttpSettings
from dhos_connector_api.mllp.settings import MllpSettings
from dhos_connector_api.processes.greeting import greeting
from dhos_connector_api.processes.run import run_migrations
from dhos_connector_api.processes.supervisor import LONGER_THAN_A_CHILD, Child, Server, Supervisor
from dhos_connector_api.workers.settings import WorkerSettings


def start_web(settings: Settings) -> int:
    """Run the web processes of `serve`; returns the exit status."""
    check_durable(settings)
    serving.check_port_is_free(settings.of(HttpSettings))
    return _supervise(settings, _web_children(settings), {}, None)


def start_mllp(settings: Settings) -> int:
    """Run the MLLP processes of `mllp`; returns the exit status."""
    check_durable(settings)
    return _supervise(settings, _mllp_children(settings), {}, None)


def start_all(settings: Settings) -> int:
    """Run everything on one machine: database if none is set, migrations, web, MLLP if set, relay,
    deliveries, consumers; returns the exit status.
    """
    serving.check_port_is_free(settings.of(HttpSettings))
    local_state = settings.of(ServiceSettings).local_state
    server = EmbeddedPostgres(local_state) if not settings.of(DatabaseSettings).is_set else None
    try:
        extra = server.start().environment() if server is not None else {}
        settings = configuration.read(environment.of_child(extra))
        check_durable(settings)
        run_migrations(settings)
        click.echo(greeting(settings, first_people(settings)))
        folder = local_state / "metrics" if server is not None else None
        mllp = _mllp_children(settings) if settings.of(MllpSettings).listeners else []
        children = [*_web_children(settings), *mllp, _child("relay"), _child("deliver")]
        children += _consuming_children(settings)
        return _supervise(settings, children, extra, folder, server)
    finally:
        if server is not None:
            server.stop()


def _child(name: str, command: str = "", *options: str) -> Child:
    return Child(name, (sys.executable, "-m", "dhos_connector_api", command or name, *options))


def _web_children(settings: Settings) -> list[Child]:
    http = settings.of(HttpSettings)
    children = [_child(f"web-{number}", "web") for number in range(1, http.processes + 1)]
    own = http.own_metrics_port(in_production=settings.of(ServiceSettings).is_production)
    return [*children, _child("metrics")] if own else children


def _consuming_children(settings: Settings) -> list[Child]:
    """The children that consume, of which the first serves their port; none without RabbitMQ."""
    if not settings.of(BrokerSettings).is_used:
        return []
    numbers = range(1, settings.of(WorkerSettings).consume_processes + 1)
    return [_child(f"consume-{each}", "consume", *(["--no-metrics"] if each > 1 else [])) for each in numbers]


def _mllp_children(settings: Settings) -> list[Child]:
    """The children, once it is known that every listener can listen, and nobody else does there."""
    create_mllp(settings, shared=False).close()
    mllp = settings.of(MllpSettings)
    children = [_child(f"mllp-{number}", "mllp-process") for number in range(1, mllp.processes + 1)]
    port = mllp.metrics_port
    return [*children, _child("mllp-metrics", "metrics", f"--port={port}")] if port else children


def _supervise(
    settings: Settings,
    children: list[Child],
    extra: dict[str, str],
    metrics_folder: Path | None,
    embedded: EmbeddedPostgres | None = None,
) -> int:
    stays_open = settings.of(ServiceSettings).stays_open
    grace = stays_open + serving.GRACE + LONGER_THAN_A_CHILD
    server = None
    if embedded is not None and embedded.process is not None:
        server = Server("postgres", embedded.process, embedded.start_again)
    supervisor = Supervisor(
        children, environment.of_child(extra), grace=grace, metrics_folder=metrics_folder, server=server
    )
    return supervisor.run()
