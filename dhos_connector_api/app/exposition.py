"""What each process shows on its port of metrics: the metrics of every room, and whether it is ready."""

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from prometheus_client import generate_latest

from dhos_connector_api import __version__
from dhos_connector_api.app import rooms
from dhos_connector_api.app.storage import check_ready, open_database
from dhos_connector_api.config import environment
from dhos_connector_api.config.load import Settings
from dhos_connector_api.config.settings import ServiceSettings
from dhos_connector_api.db.engine import STATEMENT_TIMEOUT, Database
from dhos_connector_api.errors import StorageUnavailable
from dhos_connector_api.http import exposing
from dhos_connector_api.http.exposing import MetricsApp
from dhos_connector_api.http.readiness import Readiness
from dhos_connector_api.workers.exposition import Exposition
from dhos_connector_api.workers.metrics import BUILD_INFO

#: The gauge that says where the MLLP processes listen.
_LISTENING = "connector_mllp_listening"


def exposition(settings: Settings, database: Database) -> Exposition:
    """Return the exposition of this installation: counters, and the gauges that the rooms declare."""
    _prepare(settings)
    gauges = [partial(module.gauges, settings) for module in rooms.import_all("gauges")]
    return Exposition(database, gauges, environment.metrics_folder())


def serve_metrics_of_web(settings: Settings, port: int) -> None:
    """Serve the metrics of this installation until a signal says stop; ready when the database is.

    Raises BadSetting that names METRICS_PORT.
    """
    database = _database(settings)
    text = exposition(settings, database).text
    ready = database_is_ready(settings, database)
    exposing.serve(MetricsApp(text, Readiness(ready)), port, "METRICS_PORT")


def serve_metrics_of_mllp(settings: Settings, port: int) -> None:
    """Serve the metrics of the MLLP processes until a signal says stop, without what only the database knows.

    Ready when the database is, and every listener listens. Raises BadSetting that names MLLP_METRICS_PORT.
    """
    _prepare(settings)
    database = _database(settings)
    shared = environment.metrics_folder()
    counted = Exposition(database, (), shared)
    database_ready = database_is_ready(settings, database)

    def check() -> None:
        if shared is not None:
            check_listening(counted.values(_LISTENING))
        database_ready()

    exposing.serve(MetricsApp(counted.text, Readiness(check)), port, "MLLP_METRICS_PORT")


def check_listening(processes: Sequence[float]) -> None:
    """Raise StorageUnavailable unless there are listeners, and each has processes: so many as given."""
    if not processes or not all(processes):
        raise StorageUnavailable("a listener does not listen")


@contextmanager
def own_metrics(
    settings: Settings, port: int | None, setting: str, working: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Serve the metrics of this process alone on that port until the block ends; without a port do nothing.

    It is ready when the database is, and `working` does not raise StorageUnavailable. Raises BadSetting
    that names the `setting`.
    """
    if not port:
        yield
        return
    _prepare(settings)
    database = open_database(settings, statement_timeout=STATEMENT_TIMEOUT)
    database_ready = database_is_ready(settings, database)

    def check() -> None:
        working()
        database_ready()

    try:
        with exposing.served_beside(MetricsApp(generate_latest, Readiness(check)), port, setting):
            yield
    finally:
        database.engine.dispose()


def database_is_ready(settings: Settings, database: Database) -> Callable[[], None]:
    """Return what raises StorageUnavailable while this build cannot work on that database."""
    in_production = settings.of(ServiceSettings).is_production
    return partial(check_ready, database, in_production=in_production)


def _database(settings: Settings) -> Database:
    return open_database(settings, pool_size=2, statement_timeout=STATEMENT_TIMEOUT)


def _prepare(settings: Settings) -> None:
    rooms.import_all("metrics")
    git_hash = settings.of(ServiceSettings).git_hash
    BUILD_INFO.labels(__version__, git_hash, platform.python_version()).set(1)
