"""What each process of the Connector does, from its start to its end."""

import asyncio
import gc
import signal
import socket
import sys
import threading
from datetime import timedelta
from pathlib import Path

import click
import uvicorn
import uvloop
from prometheus_client import start_http_server

from dhos_connector_api.app import tokens
from dhos_connector_api.app.mllp import create_mllp
from dhos_connector_api.app.outgoing import destinations, outlet
from dhos_connector_api.app.storage import database_address, open_database
from dhos_connector_api.app.web import create_app
from dhos_connector_api.config import settings as config
from dhos_connector_api.config.settings import Settings
from dhos_connector_api.db import migrate
from dhos_connector_api.db.embedded import EmbeddedPostgres
from dhos_connector_api.deliveries.deliver import Deliverer
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.mllp import open_files
from dhos_connector_api.mllp.server import Server as MllpServer
from dhos_connector_api.outbox import wake
from dhos_connector_api.processes.supervisor import Child, Supervisor
from dhos_connector_api.site import source as site_source
from dhos_connector_api.workers import deliver, housekeeping, lease, loop, relay
from dhos_connector_api.workers.exposition import Exposition
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
#: Database connections of a delivery process: one that claims for each destination, others that settle.
_DELIVERY_CONNECTIONS = 8
#: Seconds a web process has to answer what it is working on when it is told to stop.
_GRACE = 20
#: Objects a web or MLLP process makes before it looks for circles among them.
_GARBAGE = 50_000


def run_web(settings: Settings) -> None:
    """One web process, on a socket of its own: the kernel spreads connections over them evenly."""
    wake.use(database_address(settings).label)
    listener = _listener(settings, shared=True)
    application = create_app(settings)
    _look_for_garbage_rarely()
    configuration = uvicorn.Config(
        application,
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
    database = open_database(settings)
    if settings.relay_metrics_port:
        start_http_server(settings.relay_metrics_port)
    keeper = threading.Thread(
        target=housekeeping.run,
        args=(database, timedelta(seconds=settings.outbox_retention), stop),
        name="housekeeping",
    )
    keeper.start()
    try:
        engine = lease.session_engine(database_address(settings).url())
        relay.run(engine, outlet(settings), stop, wake.Bell(database_address(settings).label))
    finally:
        stop.set()
        keeper.join()
        database.engine.dispose()


def run_deliver(settings: Settings) -> None:
    """Deliver to the hospital what is queued, until SIGTERM or SIGINT."""
    stop = loop.stop_on_signals()
    database = open_database(settings, pool_size=_DELIVERY_CONNECTIONS)
    if settings.deliver_metrics_port:
        start_http_server(settings.deliver_metrics_port)
    try:
        found = destinations(settings, site_source.source(settings))
        pause = threading.Event().wait  # also when told to stop: what was sent has to be settled
        deliver.run([Deliverer(database, each, pause) for each in found], stop)
    finally:
        database.engine.dispose()


def run_mllp(settings: Settings) -> int:
    """The MLLP processes of `mllp`; the exit status."""
    return _supervise(_mllp_children(settings), {}, None)


def run_mllp_process(settings: Settings) -> None:
    """One MLLP process, until SIGTERM or SIGINT; what is in hand then is still answered."""
    open_files.raise_limit()
    wake.use(database_address(settings).label)
    server = create_mllp(settings, shared=True)
    _look_for_garbage_rarely()
    uvloop.run(_serve_mllp(server))


def _look_for_garbage_rarely() -> None:
    """Keep what was made until now, and look for circles among what comes only now and then.

    What a message leaves behind is rarely a circle: to look as often as Python does costs a tenth of the
    messages, and now and then a pause.
    """
    gc.freeze()
    gc.set_threshold(_GARBAGE)


async def _serve_mllp(server: MllpServer) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server.start()
    await stop.wait()
    await server.drain()


def run_metrics(settings: Settings, port: int | None = None) -> None:
    """Serve `/metrics` of this installation on that port (METRICS_PORT), until SIGTERM or SIGINT."""
    stop = loop.stop_on_signals()
    database = open_database(settings)
    registry = Exposition(settings, database, config.metrics_folder()).registry
    start_http_server(port or settings.metrics_port or 0, registry=registry)
    stop.wait()


def run_service(settings: Settings) -> int:
    """The web processes of `serve`; the exit status."""
    _check_port_is_free(settings)
    return _supervise(_web_children(settings), {}, None)


def run_all(settings: Settings) -> int:
    """Everything on one machine: database if none is set, migrations, web, MLLP if set, relay, deliveries."""
    _check_port_is_free(settings)
    server = EmbeddedPostgres(settings.local_state) if settings.database_host is None else None
    try:
        extra = server.start().environment() if server is not None else {}
        settings = config.load(config.child_environment(extra))
        run_migrations(settings)
        click.echo(_greeting(settings))
        folder = settings.local_state / "metrics" if server is not None else None
        mllp = _mllp_children(settings) if settings.mllp_listeners else []
        children = [*_web_children(settings), *mllp, _child("relay"), _child("deliver")]
        return _supervise(children, extra, folder)
    finally:
        if server is not None:
            server.stop()


def run_migrations(settings: Settings, revision: str = "head") -> None:
    """Bring the database to that migration, and make room for messages of this month."""
    database = open_database(settings)
    migrate.upgrade(database.engine, revision)
    with database.statements() as connection:
        at_head = migrate.is_at_head(connection)
    if at_head:
        Housekeeping(database, retention=timedelta(seconds=settings.outbox_retention)).step()
    database.engine.dispose()


def _child(name: str, command: str = "", *options: str) -> Child:
    return Child(name, (sys.executable, "-m", "dhos_connector_api", command or name, *options))


def _web_children(settings: Settings) -> list[Child]:
    children = [_child(f"web-{number}", "web") for number in range(1, settings.web_processes + 1)]
    return [*children, _child("metrics")] if settings.metrics_port else children


def _mllp_children(settings: Settings) -> list[Child]:
    """The children, once it is known that every listener can listen, and nobody else does there."""
    create_mllp(settings, shared=False).close()
    children = [_child(f"mllp-{number}", "mllp-process") for number in range(1, settings.mllp_processes + 1)]
    port = settings.mllp_metrics_port
    return [*children, _child("mllp-metrics", "metrics", f"--port={port}")] if port else children


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
            f"  TOKEN={tokens.token(settings, seconds=86400)}",
            f"  printf '{_ADMISSION}' | curl -s {url}/dhos/v1/message \\",
            "    -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/hl7-v2' \\",
            "    --data-binary @- | tr '\\r' '\\n'",
            "",
            "Ctrl-C stops everything.",
            "",
        ]
    return "\n".join(lines)
