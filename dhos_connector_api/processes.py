"""What each process of the Connector does, from its start to its end."""

import socket
import sys
import threading
from datetime import timedelta
from pathlib import Path

import click
import uvicorn
from prometheus_client import start_http_server

from dhos_connector_api import app, config
from dhos_connector_api.config import Settings
from dhos_connector_api.db import migrate
from dhos_connector_api.db.embedded import EmbeddedPostgres
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.exposition import Exposition
from dhos_connector_api.supervisor import Child, Supervisor
from dhos_connector_api.workers import housekeeping, lease, loop, relay
from dhos_connector_api.workers.housekeeping import Housekeeping

#: Connections the kernel keeps for a web process that is busy.
_BACKLOG = 2048
#: An admission of an invented patient, as `printf` takes it.
_ADMISSION = (
    r"MSH|^~\\&|EPR|WARDS|TIE|DHOS|20260131093000||ADT^A01|DEMO0001|P|2.3\r"
    r"EVN|A01|20260131093000\r"
    r"PID|1||900001^^^RBH-MRN^MRN~9990000018^^^NHS^NHSNBR||OTTER^RIVER||19820305|F\r"
    r"PV1|1|INPATIENT|WARD7^BAY2^BED3||||||||||||||||V900001|||||||||||||||||||||||||20260131093000\r"
)
#: Seconds a web process has to answer what it is working on when it is told to stop.
_GRACE = 20


def run_web(settings: Settings) -> None:
    """One web process, on a socket of its own: the kernel spreads connections over them evenly."""
    listener = _listener(settings, shared=True)
    configuration = uvicorn.Config(
        app.create_app(settings),
        http="httptools",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_GRACE,
    )
    uvicorn.Server(configuration).run(sockets=[listener])


def _listener(settings: Settings, *, shared: bool) -> socket.socket:
    """A socket bound to the server's address; `shared` with others that are too. Raises BadSetting."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.server_host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((settings.server_host, settings.server_port))
    except OSError as error:
        listener.close()
        raise BadSetting(f"SERVER_HOST and SERVER_PORT cannot be listened on: {error.strerror}") from None
    return listener


def _check_port_is_free(settings: Settings) -> None:
    """Raise BadSetting where another service listens: the kernel would share its senders with us."""
    _listener(settings, shared=False).close()


def run_relay(settings: Settings) -> None:
    """The relay, and housekeeping beside it, until SIGTERM or SIGINT."""
    stop = loop.stop_on_signals()
    database = app.open_database(settings)
    if settings.relay_metrics_port:
        start_http_server(settings.relay_metrics_port)
    keeper = threading.Thread(
        target=housekeeping.run,
        args=(database, timedelta(seconds=settings.outbox_retention), stop),
        name="housekeeping",
    )
    keeper.start()
    try:
        engine = lease.session_engine(app.database_address(settings).url())
        relay.run(engine, app.outlet(settings), stop)
    finally:
        stop.set()
        keeper.join()
        database.engine.dispose()


def run_metrics(settings: Settings) -> None:
    """Serve `/metrics` of this installation on METRICS_PORT, until SIGTERM or SIGINT."""
    stop = loop.stop_on_signals()
    database = app.open_database(settings)
    registry = Exposition(settings, database, config.metrics_folder()).registry
    start_http_server(settings.metrics_port or 0, registry=registry)
    stop.wait()


def run_service(settings: Settings) -> int:
    """The web processes of `serve`; the exit status."""
    _check_port_is_free(settings)
    return _supervise(_web_children(settings), {}, None)


def run_all(settings: Settings) -> int:
    """Everything on one machine: database if none is set, migrations, web processes, relay."""
    _check_port_is_free(settings)
    server = EmbeddedPostgres(settings.local_state) if settings.database_host is None else None
    try:
        extra = server.start().environment() if server is not None else {}
        settings = config.load(config.child_environment(extra))
        run_migrations(settings)
        click.echo(_greeting(settings))
        folder = settings.local_state / "metrics" if server is not None else None
        return _supervise([*_web_children(settings), _child("relay")], extra, folder)
    finally:
        if server is not None:
            server.stop()


def run_migrations(settings: Settings, revision: str = "head") -> None:
    """Bring the database to that migration, and make room for messages of this month."""
    database = app.open_database(settings)
    migrate.upgrade(database.engine, revision)
    with database.statements() as connection:
        at_head = migrate.is_at_head(connection)
    if at_head:
        Housekeeping(database, retention=timedelta(seconds=settings.outbox_retention)).step()
    database.engine.dispose()


def _child(name: str, command: str = "") -> Child:
    return Child(name, (sys.executable, "-m", "dhos_connector_api", command or name))


def _web_children(settings: Settings) -> list[Child]:
    children = [_child(f"web-{number}", "web") for number in range(1, settings.web_processes + 1)]
    return [*children, _child("metrics")] if settings.metrics_port else children


def _supervise(children: list[Child], extra: dict[str, str], metrics_folder: Path | None) -> int:
    environment = config.child_environment(extra)
    return Supervisor(children, environment, grace=_GRACE + 5, metrics_folder=metrics_folder).run()


def _greeting(settings: Settings) -> str:
    """What a newcomer needs: the address, and outside PRODUCTION a token and a message to try."""
    host = "127.0.0.1" if settings.server_host in ("0.0.0.0", "::") else settings.server_host  # noqa: S104
    url = f"http://{host}:{settings.server_port}"
    lines = ["", f"The Connector serves at {url}"]
    if not settings.is_production:
        where = "RabbitMQ" if settings.uses_rabbitmq else "the outbox (RABBITMQ_HOST is not set)"
        lines += [
            f"Specification: {url}/docs     Metrics: {url}/metrics     Envelopes go to {where}",
            "",
            "Post an admission and see its acknowledgement:",
            "",
            f"  TOKEN={app.token(settings, seconds=86400)}",
            f"  printf '{_ADMISSION}' | curl -s {url}/dhos/v1/message \\",
            "    -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/hl7-v2' \\",
            "    --data-binary @- | tr '\\r' '\\n'",
            "",
            "Ctrl-C stops everything.",
            "",
        ]
    return "\n".join(lines)
