"""/ready, /metrics and /docs: for those who run the Connector."""

import flask
from prometheus_client import CONTENT_TYPE_LATEST

from dhos_connector_api.api.services import services
from dhos_connector_api.errors import NotFound
from dhos_connector_api.http import docs
from dhos_connector_api.http.answers import JSON


def check_ready() -> flask.Response:
    """Answer whether the database answers and has every migration. Raises StorageUnavailable."""
    services().check_ready()
    return flask.Response('{"ready": true}', content_type=JSON)


def get_metrics() -> flask.Response:
    """Answer with the metrics of all web processes here. Raises NotFound when METRICS_PORT is set."""
    exposition = services().metrics
    if exposition is None:
        raise NotFound("the metrics are on a port of their own")
    return flask.Response(exposition(), content_type=CONTENT_TYPE_LATEST)


def get_docs() -> flask.Response:
    """Answer with Swagger UI and the specification. Raises NotFound where the documentation is not served."""
    if not services().serves_docs:
        raise NotFound("the documentation is not served here; DOCS_ENABLED does")
    return docs.page()
