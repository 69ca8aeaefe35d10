"""The HTTP machine put together: Flask at the heart, connexion around it, and ASGI layers around both.

From the outside in: request id and timing, error answers, probes, the whole body, routing, security,
validation of parameters and body, one hop to a thread, Flask.
"""

from collections.abc import Mapping
from typing import Any

import flask
from connexion.middleware import ConnexionMiddleware
from connexion.middleware.routing import RoutingMiddleware
from connexion.middleware.security import SecurityMiddleware
from connexion.resolver import Resolver
from starlette.types import ASGIApp, Receive, Scope, Send

from dhos_connector_api.http import docs, problems, routing
from dhos_connector_api.http.body_limit import WholeBody
from dhos_connector_api.http.key_security import KeySecurity
from dhos_connector_api.http.probes import Probes
from dhos_connector_api.http.request_id import RequestId
from dhos_connector_api.http.routing import Handler
from dhos_connector_api.http.security import TokenSecurity
from dhos_connector_api.http.validation import ValidationMiddleware
from dhos_connector_api.http.wsgi import OneHop

#: Where every address ends in a slash.
_SLASHED = ("/api/integrations/", "/api/simulator/")


class _LastSlash:
    """ASGI: the addresses of the predecessor's callers end in a slash; without it they mean the same."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith(_SLASHED) and not path.endswith("/"):
            scope["path"] = f"{path}/"
        await self._app(scope, receive, send)


class _ExactRouting(RoutingMiddleware):  # type: ignore[misc]
    """Connexion's routing without redirects: an address with a slash too many is 404."""

    def add_api(self, *arguments: Any, **options: Any) -> None:
        super().add_api(*arguments, **options)
        self.router.redirect_slashes = False
        for mount in self.router.routes:
            mount.app.redirect_slashes = False


def _answered_before_flask() -> None:
    """Stand in for the handler of a probe, which has none."""


def build_asgi(
    application: flask.Flask,
    *,
    document: dict[str, Any],
    handlers: Mapping[str, Handler],
    tokens: TokenSecurity,
    keys: KeySecurity,
    probes: Mapping[str, Mapping[str, Any]],
    threads: int,
    most_body_bytes: int,
    serves_docs: bool,
) -> ASGIApp:
    """Return the ASGI application around `application`, which gets the operations and error answers.

    `handlers` are by operationId; `probes` are answered before anything else, by path, as JSON.
    """
    application.register_blueprint(routing.build(document, handlers))
    if serves_docs:
        application.register_blueprint(docs.assets(document))
    problems.register(application)
    hop = OneHop(application.wsgi_app, threads)
    layers = [_ExactRouting, SecurityMiddleware, ValidationMiddleware]
    # Connexion wants a function for every operationId, although only Flask calls one.
    resolver = Resolver(lambda operation_id: handlers.get(operation_id, _answered_before_flask))
    checked = ConnexionMiddleware(hop, import_name=__name__, middlewares=layers, resolver=resolver)
    checked.add_api(document, security_map={"oauth2": lambda: tokens, "apiKey": lambda: keys})
    whole = WholeBody(_LastSlash(checked), most_body_bytes)
    return RequestId(problems.ProblemBoundary(Probes(whole, probes)))
