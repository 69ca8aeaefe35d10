"""/ready, /health/, /metrics and the documentation: for those who run the Connector."""

import json

import flask
from prometheus_client import CONTENT_TYPE_LATEST

from dhos_connector_api.api.services import services
from dhos_connector_api.errors import NotFound, Stopping, StorageUnavailable
from dhos_connector_api.http import docs
from dhos_connector_api.http.answers import JSON
from dhos_connector_api.http.problems import problem_of
from dhos_connector_api.spec import document as specification


def check_ready(verbose: str) -> flask.Response:
    """Answer whether the database answers and has every migration; `verbose`, also how each part is doing.

    Raises StorageUnavailable, Stopping.
    """
    parts = services()
    if verbose != "true":
        parts.check_ready()
        return flask.Response('{"ready": true}', content_type=JSON)
    service, database, problem = "ok", "ok", None
    try:
        parts.check_ready()
    except Stopping as error:
        service, database, problem = "stopping", "not known", problem_of(error)
    except StorageUnavailable as error:
        database, problem = (str(error.fault.cause) if error.fault else "busy"), problem_of(error)
    found = {"parts": {"service": service, "database": database, "broker": parts.state_of_broker()}}
    if problem is None:
        return flask.Response(json.dumps({"ready": True} | found), content_type=JSON)
    body = {"code": problem.status, "message": problem.message} | found
    return flask.Response(json.dumps(body), problem.status, problem.headers, content_type=JSON)


def check_health() -> flask.Response:
    """Answer that it can do its work, and no more than that. Raises StorageUnavailable, Stopping."""
    services().check_ready()
    return flask.Response('{"status": "ok"}', content_type=JSON)


def get_metrics() -> flask.Response:
    """Answer with the metrics of all web processes here. Raises NotFound when METRICS_PORT is set."""
    exposition = services().metrics
    if exposition is None:
        raise NotFound("the metrics are on a port of their own")
    return flask.Response(exposition(), content_type=CONTENT_TYPE_LATEST)


def get_docs() -> flask.Response:
    """Answer with Swagger UI and the specification. Raises NotFound where the documentation is not served."""
    _check_served()
    return docs.swagger_ui("docs")


def get_api_docs() -> flask.Response:
    """Answer as `get_docs` does, for the predecessor's address."""
    _check_served()
    return docs.swagger_ui("../../docs")


def get_redoc() -> flask.Response:
    """Answer with ReDoc and the specification. Raises NotFound where the documentation is not served."""
    _check_served()
    return docs.redoc("docs")


def get_api_redoc() -> flask.Response:
    """Answer as `get_redoc` does, for the predecessor's address."""
    _check_served()
    return docs.redoc("../../docs")


def get_api_schema() -> flask.Response:
    """Answer with the specification in JSON. Raises NotFound where the documentation is not served."""
    _check_served()
    return docs.schema(specification.load())


def _check_served() -> None:
    if not services().serves_docs:
        raise NotFound("the documentation is not served here; DOCS_ENABLED does")
