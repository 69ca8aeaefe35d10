"""/ready and /metrics: for those who run the Connector."""

import flask
from prometheus_client import CONTENT_TYPE_LATEST

from dhos_connector_api.api.answers import JSON
from dhos_connector_api.api.services import services
from dhos_connector_api.errors import NotFound


def ready() -> flask.Response:
    """Whether the database answers and has every migration. Raises StorageUnavailable."""
    services().check_ready()
    return flask.Response('{"ready": true}', content_type=JSON)


def metrics() -> flask.Response:
    """All metrics of this installation's web processes. Raises NotFound when METRICS_PORT is set."""
    exposition = services().metrics
    if exposition is None:
        raise NotFound("the metrics are on a port of their own")
    return flask.Response(exposition(), content_type=CONTENT_TYPE_LATEST)
