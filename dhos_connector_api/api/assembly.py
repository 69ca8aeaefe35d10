"""The HTTP door put together: Flask at the heart, connexion around it, and ASGI layers around both.

From the outside in: request id and timing, error answers, probes, the whole body, routing, security,
validation of parameters and body, one hop to a thread, Flask.
"""

from typing import Any

import flask
from connexion.middleware import ConnexionMiddleware
from connexion.middleware.routing import RoutingMiddleware
from connexion.middleware.security import SecurityMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from dhos_connector_api.api import blueprint, docs, problems, specification
from dhos_connector_api.api.body_limit import WholeBody
from dhos_connector_api.api.key_security import KeySecurity
from dhos_connector_api.api.probes import Probes
from dhos_connector_api.api.request_id import RequestId
from dhos_connector_api.api.security import TokenSecurity
from dhos_connector_api.api.services import EXTENSION, Services
from dhos_connector_api.api.validation import ValidationMiddleware
from dhos_connector_api.api.wsgi import OneHop

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


def build_asgi(flask_app: flask.Flask, services: Services) -> ASGIApp:
    """The ASGI application around `flask_app`, which gets the operations, error answers and `services`."""
    document = specification.load()
    _install(flask_app, services, document)
    hop = OneHop(flask_app.wsgi_app, services.settings.web_threads)
    layers = [_ExactRouting, SecurityMiddleware, ValidationMiddleware]
    checked = ConnexionMiddleware(hop, import_name=__name__, middlewares=layers)
    tokens = _token_security(services, document)
    keys = KeySecurity(services.key_database)
    checked.add_api(document, security_map={"oauth2": lambda: tokens, "apiKey": lambda: keys})
    whole = WholeBody(_LastSlash(checked), services.settings.max_body_bytes)
    return RequestId(problems.ProblemBoundary(Probes(whole, services.settings)))


def _token_security(services: Services, document: dict[str, Any]) -> TokenSecurity:
    allowed = {each.id: each.allowed_issuers for each in specification.operations(document)}
    return TokenSecurity(services.issuers, services.settings.hs_issuer, allowed)


def _install(flask_app: flask.Flask, services: Services, document: dict[str, Any]) -> None:
    flask_app.extensions[EXTENSION] = services
    flask_app.register_blueprint(blueprint.build(document))
    if services.settings.serves_docs:
        flask_app.register_blueprint(docs.assets(document))
    problems.register(flask_app)
    services.limits.install(flask_app)
