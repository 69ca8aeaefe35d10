"""Parameters and bodies checked against the specification, with everything compiled at start.

Takes the place of connexion's own request validation, through the base classes it offers for that:
its validators are built anew for every request, take what PostgreSQL refuses, skip bodies whose
media type is spelt in capitals, and quote what was sent.
"""

import asyncio
from typing import Any

from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from dhos_connector_api.errors import WrongMediaType
from dhos_connector_api.http import call
from dhos_connector_api.http.body_limit import replayed
from dhos_connector_api.spec.bodies import JsonBody
from dhos_connector_api.spec.parameters import ParameterCheck

#: A body that takes longer to read than the event loop should be kept from other requests.
LARGE_BODY = 100_000


class _Operation:
    """ASGI: one operation. Bodies other than JSON are for the handler to judge.

    So are those of operations whose `requestBody` says `x-checked-by-handler`: what has to be verified
    or kept before anybody knows whether it fits.
    """

    def __init__(self, next_app: ASGIApp, operation: Any) -> None:
        self._next = next_app
        self._id: str = operation.operation_id
        self._parameters = ParameterCheck(operation.parameters)
        content: dict[str, Any] = operation.request_body.get("content", {})
        self._bodies = {
            media_type: JsonBody(definition["schema"]) if media_type == "application/json" else None
            for media_type, definition in content.items()
        }
        self._in_handler = bool(operation.request_body.get("x-checked-by-handler"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        here = call.of_scope(scope)
        here.parameters = self._parameters.values(scope["path_params"], scope["query_string"])
        if self._bodies:
            media_type = _media_type(scope)
            if media_type not in self._bodies:
                raise WrongMediaType(f"the operation takes {' or '.join(self._bodies)}")
            check = self._bodies[media_type]
            if self._in_handler:
                here.check = check
            elif check is not None:
                raw = (await receive())["body"]
                large = len(raw) > LARGE_BODY
                here.body = await asyncio.to_thread(check.value, raw) if large else check.value(raw)
                receive = replayed(raw, receive)
        here.checked = self._id
        await self._next(scope, receive, send)


class _Operations(RoutedAPI[_Operation]):  # type: ignore[misc]
    """The operations of the specification, by operationId."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.add_paths()

    def make_operation(self, operation: Any) -> _Operation:
        return _Operation(self.next_app, operation)


class ValidationMiddleware(RoutedMiddleware[_Operations]):  # type: ignore[misc]
    """ASGI: stands after connexion's routing and security."""

    api_cls = _Operations


def _media_type(scope: Scope) -> str:
    """The media type in lower case, as `WholeBody` has normalised it; empty without a body."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            found: str = value.partition(b";")[0].decode("latin-1")
            return found
    return ""
