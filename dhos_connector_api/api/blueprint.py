"""The Flask side of the specification: one URL rule for every operation, its function from operationId."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import flask
from werkzeug.routing import BaseConverter

from dhos_connector_api.api import call
from dhos_connector_api.api.specification import Operation, operations
from dhos_connector_api.errors import NotFound

View = Callable[..., flask.Response]


class AnyText(BaseConverter):
    """A path parameter of `format: path`: any characters, slashes at either end too."""

    regex = ".+"
    part_isolating = False


def build(document: dict[str, Any]) -> flask.Blueprint:
    """The blueprint for every operation that is not answered before Flask.

    A handler gets the checked path and query parameters by name, and nothing from the URL itself. It
    runs only when the checks before Flask were those of its own operation: two routers read every URL,
    and one that only Flask's understood would have passed no check at all.
    """
    blueprint = flask.Blueprint("api", __name__)

    @blueprint.record_once
    def _prepare(state: flask.blueprints.BlueprintSetupState) -> None:
        state.app.url_map.converters["any_text"] = AnyText
        state.app.url_map.merge_slashes = False

    for operation in operations(document):
        if not operation.definition.get("x-answered-before-flask"):
            rule = _rule(operation)
            blueprint.add_url_rule(
                rule,
                operation.name,
                _view(operation),
                methods=[operation.method.upper()],
                strict_slashes=not rule.endswith("/"),  # else Flask would redirect to the slash
            )
    return blueprint


def _rule(operation: Operation) -> str:
    rule = operation.path
    for parameter in operation.parameters:
        if parameter["in"] == "path":
            converter = "any_text:" if parameter["schema"].get("format") == "path" else ""
            rule = rule.replace(f"{{{parameter['name']}}}", f"<{converter}{parameter['name']}>")
    return rule


def _view(operation: Operation) -> View:
    module, _, name = operation.id.rpartition(".")
    function: View = getattr(import_module(module), name)

    def view(**_url: Any) -> flask.Response:
        here = call.current()
        if here.checked != operation.id:
            raise NotFound("there is nothing under this address")
        return function(**here.parameters)

    return view
