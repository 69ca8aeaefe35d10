"""What each single process of the Connector does, from its start to its end."""

import gc
import threading

from dhos_connector_api import open_files
from dhos_connector_api.app import consuming, outgoing
from dhos_connector_api.app import housekeeping as periodic
from dhos_connector_api.app import relay as relaying
from dhos_connector_api.app.exposition import (
    own_metrics,
    serve_metrics_of_mllp,
    serve_metrics_of_web,
)
from dhos_connector_api.app.mllp import create_mllp
from dhos_connector_api.app.storage import check_durable, need_a_session, open_database
from dhos_connector_api.app.web import create_app
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.db import migrate
from dhos_connector_api.db.engine import Database
from dhos_connector_api.http import serving as http_serving
from dhos_connector_api.http.leaving import Leaving
from dhos_connector_api.http.settings import METRICS_PORT, HttpSettings
from dhos_connector_api.mllp import serving as mllp_serving
from dhos_connector_api.stopping import Stop
from dhos_connector_api.workers import consume, deliver, housekeeping, loop, relay
from dhos_connector_api.workers.settings import WorkerSettings
from dhos_connector_api.workers.touch import Touch

#: Database connections of the relay's process beside the one that holds the lease: housekeeping, consumers.
_BESIDE_RELAY = 3
#: Objects a web or MLLP process, or the relay, makes before it looks for circles among them.
_GARBAGE = 50_000


def run_web(settings: Settings) -> None:
    """Run one web process, until SIGTERM or SIGINT."""
    check_durable(settings)
    leaving = Leaving()
    application = create_app(settings, leaving=leaving)
    _look_for_garbage_rarely()
    delay = settings.of(ServiceSettings).stays_open
    http_serving.serve(application, settings.of(HttpSettings), leaving, delay)


def run_mllp_process(settings: Settings) -> None:
    """Run one MLLP process, until SIGTERM or SIGINT."""
    check_durable(settings)
    open_files.raise_limit()
    server = create_mllp(settings, shared=True)
    _look_for_garbage_rarely()
    mllp_serving.serve(server, settings.of(ServiceSettings).stays_open)


def _look_for_garbage_rarely() -> None:
    """Keep what was made until now, and look for circles among what comes only now and then.

    What a message leaves behind is rarely a circle: to look as often as Python does costs a tenth of the
    messages, and now and then a pause (of 0.1 s in the relay, while everything waits).
    """
    gc.freeze()
    gc.set_threshold(_GARBAGE)


def run_relay(settings: Settings) -> None:
    """Run the relay, and housekeeping beside it, until SIGTERM or SIGINT."""
    need_a_session(settings, "the relay")
    check_durable(settings)
    stop = loop.stop_on_signals()
    database = open_database(settings, pool_size=_BESIDE_RELAY)
    touch = Touch()
    port = settings.of(WorkerSettings).relay_metrics_port
    keeper = threading.Thread(
        target=housekeeping.run, args=(database, periodic.jobs(settings), stop), name="housekeeping"
    )
    beside = [keeper, *_trying_again(settings, database, stop)]
    with own_metrics(settings, port, "RELAY_METRICS_PORT", touch.check):
        for each in beside:
            each.start()
        try:
            engine, outlet = relaying.engine(settings), relaying.outlet(settings, database)
            _look_for_garbage_rarely()
            relay.run(engine, outlet, stop, relaying.bell(settings), touch, relaying.room(settings))
        finally:
            stop.set()
            for each in beside:
                each.join()
            database.engine.dispose()


def _trying_again(settings: Settings, database: Database, stop: Stop) -> list[threading.Thread]:
    """What tries again what could not be applied, where the relay hands envelopes to the consumers."""
    if not consuming.is_in_process(settings):
        return []
    readers = consuming.readers(settings, database)
    return [threading.Thread(target=consume.try_again, args=(readers, stop), name="try-again")]


def run_consume(settings: Settings, *, serves_metrics: bool) -> None:
    """Apply what RabbitMQ has for our own consumers, until SIGTERM or SIGINT."""
    check_durable(settings)
    queue = consuming.queue(settings)
    stop = loop.stop_on_signals()
    database = open_database(settings, pool_size=consume.CONNECTIONS)
    readers = consuming.readers(settings, database)
    worker = consume.ConsumeWorker(queue, readers, stop)
    port = settings.of(WorkerSettings).consume_metrics_port if serves_metrics else None
    _look_for_garbage_rarely()
    try:
        with own_metrics(settings, port, "CONSUME_METRICS_PORT", worker.check):
            consume.run(worker, readers, stop)
    finally:
        database.engine.dispose()


def run_deliver(settings: Settings) -> None:
    """Deliver to the hospital what is queued, until SIGTERM or SIGINT."""
    check_durable(settings)
    stop = loop.stop_on_signals()
    database = open_database(settings, pool_size=deliver.CONNECTIONS)
    port = settings.of(WorkerSettings).deliver_metrics_port
    try:
        with own_metrics(settings, port, "DELIVER_METRICS_PORT"):
            deliver.run(outgoing.deliverers(settings, database), stop)
    finally:
        database.engine.dispose()


def run_metrics(settings: Settings, port: int | None = None) -> None:
    """Serve `/metrics` of the MLLP processes on that port, else of this installation on METRICS_PORT.

    It ends at SIGTERM or SIGINT.
    """
    if port:
        serve_metrics_of_mllp(settings, port)
        return
    own = settings.of(HttpSettings).own_metrics_port(in_production=settings.of(ServiceSettings).is_production)
    serve_metrics_of_web(settings, own or METRICS_PORT)


def run_migrations(settings: Settings, revision: str = "head") -> bool:
    """Bring the database to that migration, and make room for messages of this month.

    Return False where a newer build has migrated it, and there is nothing to do.
    """
    need_a_session(settings, "migrate")
    database = open_database(settings)
    migrated = migrate.upgrade(database.engine, revision)
    with database.statements() as connection:
        at_head = migrate.is_at_head(connection)
    if at_head:
        periodic.make_room_for_messages(settings, database)
    database.engine.dispose()
    return migrated
