"""The Flask side of the specification: one URL rule for every operation, and the handler behind it."""

from collections.abc import Callable, Mapping
from typing import Any

import flask
from werkzeug.routing import BaseConverter

from dhos_connector_api.errors import NotFound
from dhos_connector_api.http import call
from dhos_connector_api.http.limits import LIMITED
from dhos_connector_api.spec.document import Operation, operations

#: The blueprint of the operations; their endpoints are its name, a dot and the operationId.
BLUEPRINT = "api"

Handler = Callable[..., flask.Response]


class AnyText(BaseConverter):
    """A path parameter of `format: path`: any characters, slashes at either end too."""

    regex = ".+"
    part_isolating = False


def build(
    document: dict[str, Any], handlers: Mapping[str, Handler], count_request: Callable[[], None]
) -> flask.Blueprint:
    """Return the blueprint for every operation that is not answered before Flask.

    `handlers` are by operationId. `count_request` is called before each of those that have a limit.

    A handler gets the checked path and query parameters by name, and nothing from the URL itself. It
    runs only when the checks before Flask were those of its own operation: `Application` follows the
    routing before it, and a URL that only Flask's own routing understood would have passed no check at all.
    """
    blueprint = flask.Blueprint(BLUEPRINT, __name__)

    @blueprint.record_once
    def _prepare(state: flask.blueprints.BlueprintSetupState) -> None:
        state.app.url_map.converters["any_text"] = AnyText
        state.app.url_map.merge_slashes = False

    for operation in operations(document):
        if not operation.is_answered_before_flask:
            rule = _rule(operation)
            blueprint.add_url_rule(
                rule,
                operation.id,
                _view(operation, _limited(operation, handlers[operation.id], count_request)),
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


def _limited(operation: Operation, handler: Handler, count_request: Callable[[], None]) -> Handler:
    if not operation.path.startswith(LIMITED):
        return handler

    def counted(**parameters: Any) -> flask.Response:
        count_request()
        return handler(**parameters)

    return counted


def _view(operation: Operation, handler: Handler) -> Handler:
    def view(**_url: Any) -> flask.Response:
        here = call.current()
        if here.checked != operation.id:
            raise NotFound("there is nothing under this address")
        return handler(**here.parameters)

    return view
