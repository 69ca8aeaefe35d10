"""The HTTP machine put together: Flask at the heart, connexion around it, and ASGI layers around both.

From the outside in: `front` (request id and timing, error answers, probes), `exact_routing`, `checks`
(security, parameters, and only then the body), one hop to a thread, Flask.
"""

from collections.abc import Mapping
from typing import Any

from connexion.middleware import ConnexionMiddleware
from connexion.resolver import Resolver
from starlette.types import ASGIApp

from dhos_connector_api.http import docs, problems, routing
from dhos_connector_api.http.application import Application
from dhos_connector_api.http.body_limit import BodyLimit
from dhos_connector_api.http.checks import checks
from dhos_connector_api.http.exact_routing import ExactRouting
from dhos_connector_api.http.front import Front
from dhos_connector_api.http.key_security import KeySecurity
from dhos_connector_api.http.limits import RateLimiting
from dhos_connector_api.http.person_security import PersonSecurity
from dhos_connector_api.http.routing import Handler
from dhos_connector_api.http.security import TokenSecurity
from dhos_connector_api.http.waiting import KeepTogether
from dhos_connector_api.http.wsgi import OneHop
from dhos_connector_api.spec.document import kept_together, taking_any_query


def _answered_before_flask() -> None:
    """Stand in for the handler of a probe, which has none."""


def build_asgi(
    application: Application,
    *,
    document: dict[str, Any],
    handlers: Mapping[str, Handler],
    limits: RateLimiting,
    tokens: TokenSecurity,
    keys: KeySecurity,
    persons: PersonSecurity,
    probes: Mapping[str, Mapping[str, Any]],
    threads: int,
    bodies: BodyLimit,
    serves_docs: bool,
    keep_together: KeepTogether,
) -> ASGIApp:
    """Return the ASGI application around `application`, which gets the operations and error answers.

    `handlers` are by operationId; `probes` are answered before anything else, by path, as JSON.
    `keep_together` keeps what requests of operations bring that are marked `x-kept-together`.
    """
    limits.install(application)
    application.register_blueprint(routing.build(document, handlers, limits.count_request))
    if serves_docs:
        application.register_blueprint(docs.assets(document))
    problems.register(application)
    hop = OneHop(
        application.wsgi_app,
        threads,
        together=kept_together(document),
        keep_together=keep_together,
    )
    # Connexion wants a function for every operationId, although only Flask calls one.
    resolver = Resolver(lambda operation_id: handlers.get(operation_id, _answered_before_flask))
    checked = ConnexionMiddleware(
        hop,
        import_name=__name__,
        middlewares=[ExactRouting, checks(bodies, taking_any_query(document))],
        resolver=resolver,
    )
    security = {"oauth2": lambda: tokens, "apiKey": lambda: keys, "bearer": lambda: persons}
    checked.add_api(document, security_map=security)
    return Front(checked, probes, bodies)
