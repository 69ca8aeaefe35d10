"""Connexion's routing: which operation a request asks for, without redirects and in few steps."""

from typing import Any

from connexion.middleware.abstract import ROUTING_CONTEXT
from connexion.middleware.routing import RoutingMiddleware
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from dhos_connector_api.errors import NotFound

#: Below this address there are pages, which no specification names; Flask finds them.
PAGES = "/docs/"


class ExactRouting(RoutingMiddleware):  # type: ignore[misc]
    """ASGI: connexion's routing, decided here alone: what is no operation and no page is 404, or 405.

    It finds what connexion's own routers find, by their rules in their order. Addresses without
    parameters are looked up; others are matched with the rules of their method only. An address with a
    slash too many, or with control characters, is none.
    """

    def add_api(self, *arguments: Any, **options: Any) -> None:
        super().add_api(*arguments, **options)
        (mount,) = self.router.routes
        self._base_path: str = mount.path
        self._routes: list[Route] = mount.app.routes
        self._fixed = {
            (method, route.path): _operation(self._routes, method, route.path)
            for route in self._routes
            if not route.param_convertors
            for method in route.methods or ()
        }
        self._fixed_paths = {path for _, path in self._fixed}
        self._with_parameters: dict[str, list[Route]] = {}
        for route in self._routes:
            for method in route.methods or ():
                if route.param_convertors:
                    self._with_parameters.setdefault(method, []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        found = self._find(scope)
        if found is not None:
            operation_id, scope["path_params"] = found
            scope["extensions"][ROUTING_CONTEXT] = {
                "api_base_path": self._base_path,
                "operation_id": operation_id,
            }
        elif scope["path"].startswith(PAGES):
            scope["extensions"][ROUTING_CONTEXT] = {}
        else:
            raise self._nothing(scope["path"])
        await self.app(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[str, dict[str, Any]] | None:
        """Return the operationId and the parameters of the path; None where there is no operation."""
        method, path = scope["method"], scope["path"]
        operation_id = self._fixed.get((method, path))
        if operation_id is not None:
            return operation_id, {}
        if path in self._fixed_paths or not path.isprintable():
            return None
        for route in self._with_parameters.get(method, ()):
            match = route.path_regex.match(path)
            if match:
                given = match.groupdict().items()
                parameters = {name: route.param_convertors[name].convert(text) for name, text in given}
                return _id(route), parameters
        return None

    def _nothing(self, path: str) -> Exception:
        """Return why there is no operation: not under this address, or not by this method."""
        rules = [each for each in self._routes if path.isprintable() and each.path_regex.match(path)]
        exact = [each for each in rules if not each.param_convertors]
        methods = {method for rule in exact or rules for method in rule.methods or ()}
        if not methods:
            return NotFound("there is nothing under this address")
        return HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})


def _operation(routes: list[Route], method: str, path: str) -> str:
    """Return the operationId of the first rule that takes that method and path."""
    takes = (each for each in routes if method in (each.methods or ()) and each.path_regex.match(path))
    return _id(next(takes))


def _id(route: Route) -> str:
    endpoint: Any = route.endpoint  # connexion's, which knows the operation
    operation_id: str = endpoint.operation_id
    return operation_id
