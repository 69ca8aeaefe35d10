"""Connexion's routing: which operation a request asks for, without redirects and in few steps."""

from typing import Any

from connexion.middleware.abstract import ROUTING_CONTEXT
from connexion.middleware.routing import RoutingMiddleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


class ExactRouting(RoutingMiddleware):  # type: ignore[misc]
    """ASGI: connexion's routing; an address with a slash too many is 404.

    It finds what connexion's own routers find, by their rules in their order. Addresses without
    parameters are looked up; others are matched with the rules of their method only. What is not found
    so is left to connexion, which answers 404 and 405.
    """

    def add_api(self, *arguments: Any, **options: Any) -> None:
        super().add_api(*arguments, **options)
        self.router.redirect_slashes = False
        for mount in self.router.routes:
            mount.app.redirect_slashes = False
        (mount,) = self.router.routes
        self._base_path: str = mount.path
        routes: list[Route] = mount.app.routes
        self._fixed = {
            (method, route.path): _operation(routes, method, route.path)
            for route in routes
            if not route.param_convertors
            for method in route.methods or ()
        }
        self._with_parameters: dict[str, list[Route]] = {}
        for route in routes:
            for method in route.methods or ():
                if route.param_convertors:
                    self._with_parameters.setdefault(method, []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None if scope["type"] != "http" or scope.get("root_path") else self._find(scope)
        if found is None:
            await super().__call__(scope, receive, send)
            return
        operation_id, scope["path_params"] = found
        scope["extensions"][ROUTING_CONTEXT] = {
            "api_base_path": self._base_path,
            "operation_id": operation_id,
        }
        await self.app(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[str, dict[str, Any]] | None:
        """Return the operationId and the parameters of the path; None where connexion has to look."""
        method, path = scope["method"], scope["path"]
        operation_id = self._fixed.get((method, path))
        if operation_id is not None:
            return operation_id, {}
        if "\n" in path:  # `.` of a route's pattern takes none, its end might
            return None
        for route in self._with_parameters.get(method, ()):
            match = route.path_regex.match(path)
            if match:
                given = match.groupdict().items()
                parameters = {name: route.param_convertors[name].convert(text) for name, text in given}
                return _id(route), parameters
        return None


def _operation(routes: list[Route], method: str, path: str) -> str:
    """Return the operationId of the first rule that takes that method and path."""
    takes = (each for each in routes if method in (each.methods or ()) and each.path_regex.match(path))
    return _id(next(takes))


def _id(route: Route) -> str:
    endpoint: Any = route.endpoint  # connexion's, which knows the operation
    operation_id: str = endpoint.operation_id
    return operation_id
