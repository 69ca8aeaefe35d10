"""What `/metrics` shows: the metrics and gauges of every room."""

from functools import partial

from prometheus_client import generate_latest

from dhos_connector_api.app import rooms
from dhos_connector_api.app.storage import open_database
from dhos_connector_api.config import environment
from dhos_connector_api.config.load import Settings
from dhos_connector_api.db.engine import STATEMENT_TIMEOUT, Database
from dhos_connector_api.http import exposing
from dhos_connector_api.workers.exposition import Exposition


def exposition(settings: Settings, database: Database) -> Exposition:
    """Return the exposition of this installation: counters, and the gauges that the rooms declare."""
    rooms.import_all("metrics")
    gauges = [partial(module.gauges, settings) for module in rooms.import_all("gauges")]
    return Exposition(database, gauges, environment.metrics_folder())


def serve_metrics_of_all(settings: Settings, port: int, setting: str) -> None:
    """Serve the metrics of this installation on that port until a signal says stop. Raises BadSetting."""
    database = open_database(settings, statement_timeout=STATEMENT_TIMEOUT)
    exposing.serve(exposition(settings, database).text, port, setting)


def serve_own_metrics(port: int | None, setting: str) -> None:
    """Serve the metrics of this process alone on that port, from a thread; without a port do nothing.

    Raises BadSetting that names the `setting`.
    """
    if port:
        rooms.import_all("metrics")
        exposing.serve_beside(generate_latest, port, setting)
